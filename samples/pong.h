/* SPDX-License-Identifier: GPL-2.0-only */
/* What the samples that answer pings share. */
#ifndef PONG_H
#define PONG_H

#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <sys/types.h>

/* Turns an echo request into its reply; false if it is anything else. */
static inline bool make_reply(unsigned char *packet, ssize_t len)
{
	struct iphdr *ip = (struct iphdr *)packet;
	struct icmphdr *icmp;
	unsigned int sum;
	in_addr_t addr;

	if (len < (ssize_t)sizeof(*ip) || ip->version != 4 ||
	    ip->protocol != IPPROTO_ICMP || (ip->frag_off & htons(0x3fff)) ||
	    len < (ssize_t)(ip->ihl * 4 + sizeof(*icmp)))
		return false;
	icmp = (struct icmphdr *)(packet + ip->ihl * 4);
	if (icmp->type != ICMP_ECHO)
		return false;

	/* A checksum does not mind the order of the words it sums. */
	addr = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = addr;

	/* The type falls from 8 to 0, so the checksum grows by as much. */
	icmp->type = ICMP_ECHOREPLY;
	sum = ntohs(icmp->checksum) + (ICMP_ECHO << 8);
	icmp->checksum = htons(sum + (sum >> 16));
	return true;
}

#endif /* PONG_H */
