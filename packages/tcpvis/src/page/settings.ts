/** What a browser remembers from one visit to the next. */
import type { ThemeName } from '../draw/theme.ts';

/** A page from a file may have no storage. */
export function remembered(key: string): string | undefined {
  try {
    return localStorage.getItem(`qanat.${key}`) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`qanat.${key}`, value);
  } catch {
    // Then it is not remembered.
  }
}

/** Series that are switched off, as `kind/series`. */
export function rememberedHidden(): string[] {
  try {
    const value: unknown = JSON.parse(remembered('hidden') ?? '[]');
    return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

/** As it was chosen, else as the system has it. */
export function initialTheme(): ThemeName {
  const name = remembered('theme');
  if (name === 'light' || name === 'dark') return name;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}
