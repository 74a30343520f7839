/** `struct xencons_interface` (xen/include/public/io/console.h): two byte rings and their u32 indices in one page. */
export const CONSOLE_IN = 0;
export const CONSOLE_IN_BYTES = 1024;
export const CONSOLE_OUT = 1024;
export const CONSOLE_OUT_BYTES = 2048;
export const CONSOLE_IN_CONS = 3072;
export const CONSOLE_IN_PROD = 3076;
export const CONSOLE_OUT_CONS = 3080;
export const CONSOLE_OUT_PROD = 3084;
