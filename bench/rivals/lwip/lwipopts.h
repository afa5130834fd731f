// SPDX-License-Identifier: GPL-2.0-only
//
// lwIP without threads, by its raw API, with what a stack for a large machine would take: big windows and
// pools, SACK, copies. No checksums, as between two ends of a veth.
#pragma once

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define LWIP_ARP 1
#define LWIP_ETHERNET 1
#define LWIP_DHCP 0
#define LWIP_DNS 0
#define LWIP_UDP 0
#define LWIP_RAW 0
#define LWIP_STATS 0
#define MEM_LIBC_MALLOC 0
#define MEM_SIZE (512U << 20)
#define MEMP_MEM_MALLOC 0
#define MEM_ALIGNMENT 8
#define MEMP_NUM_TCP_PCB 4096
#define MEMP_NUM_TCP_PCB_LISTEN 8
#define MEMP_NUM_TCP_SEG 65000
#define MEMP_NUM_PBUF 65000
#define PBUF_POOL_SIZE 8000
#define PBUF_POOL_BUFSIZE 1664
#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 5
#define TCP_WND (256 * 1024)
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN 4000
#define TCP_SNDLOWAT (TCP_MSS * 2)
#define TCP_OVERSIZE TCP_MSS
#define TCP_QUEUE_OOSEQ 1
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_HAVE_LOOPIF 0
#define LWIP_NETIF_LOOPBACK 0
#define LWIP_NETIF_TX_SINGLE_PBUF 0
#define LWIP_SINGLE_NETIF 0
#define LWIP_CHECKSUM_ON_COPY 1
#define CHECKSUM_GEN_IP 0
#define CHECKSUM_GEN_TCP 0
#define CHECKSUM_CHECK_IP 0
#define CHECKSUM_CHECK_TCP 0

// Both ends are in one stack: the source says which interface a packet leaves by.
struct netif;
struct netif *route_by_source(const void *source, const void *destination);
#define LWIP_HOOK_IP4_ROUTE_SRC(src, dst) route_by_source((src), (dst))
