/*
 * lwIP for the benchmark: raw API in one thread, both checksums computed and verified, windows and pools large enough
 * that they never bound a flow. What differs from lwIP's defaults is here.
 */
#ifndef BENCH_LWIPOPTS_H
#define BENCH_LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_UDP 0
#define LWIP_DHCP 0
#define LWIP_STATS 0
#define LWIP_NETIF_TX_SINGLE_PBUF 0
#define LWIP_NETIF_LOOPBACK 0
#define LWIP_HAVE_LOOPIF 0
#define LWIP_SINGLE_NETIF 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0

/* glibc's malloc for what lwIP's heap would hold: faster than its first fit. Pools for the rest. */
#define MEM_LIBC_MALLOC 1
#define MEM_ALIGNMENT 8
#define MEMP_NUM_PBUF 4096
#define MEMP_NUM_TCP_PCB 512
#define MEMP_NUM_TCP_PCB_LISTEN 8
#define MEMP_NUM_TCP_SEG 16384
#define PBUF_POOL_SIZE 8192
#define PBUF_POOL_BUFSIZE 1536
#define ETH_PAD_SIZE 0

#define TCP_MSS 1460
#ifndef BENCH_TCP_WND
#define BENCH_TCP_WND (128 * 1024)
#endif
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 4
#define TCP_WND BENCH_TCP_WND
#define TCP_SND_BUF BENCH_TCP_WND
#define TCP_SND_QUEUELEN (4 * TCP_SND_BUF / TCP_MSS)
#define TCP_SNDLOWAT (16 * TCP_MSS)
#define TCP_SNDQUEUELOWAT 64
#define TCP_LISTEN_BACKLOG 1
#define TCP_OVERSIZE TCP_MSS

#define CHECKSUM_GEN_IP 1
#define CHECKSUM_GEN_TCP 1
#define CHECKSUM_GEN_ICMP 1
#define CHECKSUM_CHECK_IP 1
#define CHECKSUM_CHECK_TCP 1
#define CHECKSUM_CHECK_ICMP 1
/* The default, which the compiler turns into vector instructions: twice as fast here as the unrolled number 3. */
#define LWIP_CHKSUM_ALGORITHM 2

#endif
