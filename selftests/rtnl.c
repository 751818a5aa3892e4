// SPDX-License-Identifier: GPL-2.0-only
/* The little of rtnetlink that the tests need: see rtnl.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/if_tunnel.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "rtnl.h"
#include "tun_test.h"

/* Not in every libc's headers under this name. */
#define ATTR_DATA(a)	((void *)((char *)(a) + NLA_HDRLEN))
#define ATTR_LEN(a)	((int)(a)->nla_len - NLA_HDRLEN)

struct request {
	struct nlmsghdr nlh;
	union {
		struct ifinfomsg ifi;
		struct ifaddrmsg ifa;
		struct ndmsg ndm;
		struct tcmsg tcm;
	};
	char attrs[512];
};

static void request_init(struct request *req, int type, int flags, size_t len)
{
	memset(req, 0, sizeof(*req));
	req->nlh.nlmsg_type = type;
	req->nlh.nlmsg_flags = NLM_F_REQUEST | flags;
	req->nlh.nlmsg_len = NLMSG_LENGTH(len);
}

static struct nlattr *put(struct request *req, int type, const void *data,
			  size_t len)
{
	struct nlattr *attr;

	attr = (void *)((char *)req + NLMSG_ALIGN(req->nlh.nlmsg_len));
	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	if (len)
		memcpy(ATTR_DATA(attr), data, len);
	req->nlh.nlmsg_len = NLMSG_ALIGN(req->nlh.nlmsg_len) +
			     NLA_ALIGN(attr->nla_len);
	return attr;
}

static void put_end(struct request *req, struct nlattr *nest)
{
	nest->nla_len = (char *)req + req->nlh.nlmsg_len - (char *)nest;
}

static int nl_socket(unsigned int groups)
{
	struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK, .nl_groups = groups,
	};
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int err;

	if (sock < 0)
		return -errno;
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr))) {
		err = -errno;
		close(sock);
		return err;
	}
	return sock;
}

typedef void answer_fn(struct nlmsghdr *nlh, void *arg);

/* Reads answers until the acknowledgement, the error or the dump's end. */
static int nl_answers(int sock, answer_fn *fn, void *arg)
{
	char buf[65536];

	for (;;) {
		int len = recv(sock, buf, sizeof(buf), 0);
		struct nlmsghdr *nlh = (void *)buf;

		if (len < 0)
			return -errno;
		for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
			struct nlmsgerr *err = NLMSG_DATA(nlh);

			if (nlh->nlmsg_type == NLMSG_DONE)
				return 0;
			if (nlh->nlmsg_type == NLMSG_ERROR)
				return err->error;
			if (fn)
				fn(nlh, arg);
		}
	}
}

static int nl_ask(struct request *req, answer_fn *fn, void *arg)
{
	int sock = nl_socket(0);
	int err;

	if (sock < 0)
		return sock;
	if (req->nlh.nlmsg_type != RTM_GETLINK ||
	    (req->nlh.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		req->nlh.nlmsg_flags |= NLM_F_ACK;
	if (send(sock, req, req->nlh.nlmsg_len, 0) < 0)
		err = -errno;
	else
		err = nl_answers(sock, fn, arg);
	close(sock);
	return err;
}

static int64_t attr_number(const struct nlattr *attr)
{
	uint32_t u32;

	if (ATTR_LEN(attr) == 1)
		return *(uint8_t *)ATTR_DATA(attr);
	memcpy(&u32, ATTR_DATA(attr), sizeof(u32));
	return u32;
}

#define for_each_attr(attr, head, size) \
	for (attr = (void *)(head); \
	     (char *)attr + NLA_HDRLEN <= (char *)(head) + (size) && \
	     attr->nla_len >= NLA_HDRLEN; \
	     attr = (void *)((char *)attr + NLA_ALIGN(attr->nla_len)))

static void parse_tun(struct nlattr *nest, struct link_info *info)
{
	int64_t *const field[] = {
		[IFLA_TUN_OWNER] = &info->owner,
		[IFLA_TUN_GROUP] = &info->group,
		[IFLA_TUN_TYPE] = &info->tun_type,
		[IFLA_TUN_PI] = &info->pi,
		[IFLA_TUN_VNET_HDR] = &info->vnet_hdr,
		[IFLA_TUN_PERSIST] = &info->persist,
		[IFLA_TUN_MULTI_QUEUE] = &info->multi_queue,
		[IFLA_TUN_NUM_QUEUES] = &info->queues,
		[IFLA_TUN_NUM_DISABLED_QUEUES] = &info->disabled,
	};
	struct nlattr *attr;

	for_each_attr(attr, ATTR_DATA(nest), ATTR_LEN(nest)) {
		if (attr->nla_type <= IFLA_TUN_NUM_DISABLED_QUEUES &&
		    field[attr->nla_type])
			*field[attr->nla_type] = attr_number(attr);
	}
}

static void parse_linkinfo(struct nlattr *nest, struct link_info *info)
{
	struct nlattr *attr;

	for_each_attr(attr, ATTR_DATA(nest), ATTR_LEN(nest)) {
		if (attr->nla_type == IFLA_INFO_KIND)
			snprintf(info->kind, sizeof(info->kind), "%s",
				 (char *)ATTR_DATA(attr));
		else if (attr->nla_type == IFLA_INFO_DATA &&
			 !strcmp(info->kind, tun_kind()))
			parse_tun(attr, info);
	}
}

static void parse_xdp(struct nlattr *nest, struct link_info *info)
{
	struct nlattr *attr;

	for_each_attr(attr, ATTR_DATA(nest), ATTR_LEN(nest)) {
		if (attr->nla_type == IFLA_XDP_ATTACHED)
			info->xdp_mode = attr_number(attr);
		else if (attr->nla_type == IFLA_XDP_PROG_ID)
			info->xdp_id = attr_number(attr);
	}
}

static void parse_attr(struct nlattr *attr, struct link_info *info)
{
	switch (attr->nla_type & NLA_TYPE_MASK) {
	case IFLA_IFNAME:
		snprintf(info->name, sizeof(info->name), "%s",
			 (char *)ATTR_DATA(attr));
		break;
	case IFLA_ADDRESS:
		if (ATTR_LEN(attr) <= (int)sizeof(info->addr)) {
			info->addr_len = ATTR_LEN(attr);
			memcpy(info->addr, ATTR_DATA(attr), ATTR_LEN(attr));
		}
		break;
	case IFLA_MTU:
		info->mtu = attr_number(attr);
		break;
	case IFLA_MIN_MTU:
		info->min_mtu = attr_number(attr);
		break;
	case IFLA_MAX_MTU:
		info->max_mtu = attr_number(attr);
		break;
	case IFLA_TXQLEN:
		info->txqlen = attr_number(attr);
		break;
	case IFLA_CARRIER:
		info->carrier = attr_number(attr);
		break;
	case IFLA_NUM_TX_QUEUES:
		info->num_tx_queues = attr_number(attr);
		break;
	case IFLA_STATS64:
		memcpy(&info->stats, ATTR_DATA(attr),
		       ATTR_LEN(attr) < (int)sizeof(info->stats) ?
		       (size_t)ATTR_LEN(attr) : sizeof(info->stats));
		break;
	case IFLA_LINKINFO:
		parse_linkinfo(attr, info);
		break;
	case IFLA_XDP:
		parse_xdp(attr, info);
		break;
	}
}

static void parse_link(struct nlmsghdr *nlh, void *arg)
{
	struct ifinfomsg *ifi = NLMSG_DATA(nlh);
	char *head = (char *)ifi + NLMSG_ALIGN(sizeof(*ifi));
	struct link_info *info = arg;
	struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return;
	info->index = ifi->ifi_index;
	info->type = ifi->ifi_type;
	info->flags = ifi->ifi_flags;
	for_each_attr(attr, head, (char *)nlh + nlh->nlmsg_len - head)
		parse_attr(attr, info);
}

static void info_init(struct link_info *info)
{
	memset(info, 0, sizeof(*info));
	info->mtu = info->min_mtu = info->max_mtu = -1;
	info->txqlen = info->carrier = info->num_tx_queues = -1;
	info->tun_type = info->owner = info->group = -1;
	info->pi = info->vnet_hdr = info->persist = info->multi_queue = -1;
	info->queues = info->disabled = -1;
	info->xdp_mode = info->xdp_id = -1;
}

int link_get(int index, struct link_info *info)
{
	struct request req;

	info_init(info);
	request_init(&req, RTM_GETLINK, 0, sizeof(req.ifi));
	req.ifi.ifi_index = index;
	return nl_ask(&req, parse_link, info);
}

int link_index(const char *name)
{
	struct link_info info;
	struct request req;
	int err;

	info_init(&info);
	request_init(&req, RTM_GETLINK, 0, sizeof(req.ifi));
	put(&req, IFLA_IFNAME, name, strlen(name) + 1);
	err = nl_ask(&req, parse_link, &info);
	return err ? err : info.index;
}

struct counted {
	const char *name, *kind;	/* which to count, if given */
	int links, last;
};

static void count_link(struct nlmsghdr *nlh, void *arg)
{
	struct counted *counted = arg;
	struct link_info info;

	info_init(&info);
	parse_link(nlh, &info);
	if (info.index &&
	    (!counted->name || !strcmp(info.name, counted->name)) &&
	    (!counted->kind || !strcmp(info.kind, counted->kind))) {
		counted->links++;
		counted->last = info.index;
	}
}

/* What "ip link show type" asks. */
static int dump_kind(const char *kind, struct counted *counted)
{
	struct nlattr *nest;
	struct request req;

	request_init(&req, RTM_GETLINK, NLM_F_DUMP, sizeof(req.ifi));
	nest = put(&req, IFLA_LINKINFO, NULL, 0);
	put(&req, IFLA_INFO_KIND, kind, strlen(kind));
	put_end(&req, nest);
	return nl_ask(&req, count_link, counted);
}

/* Links of the kind, and of the name if given. */
int link_count_kind(const char *kind, const char *name)
{
	struct counted counted = { .name = name };
	int err = dump_kind(kind, &counted);

	return err ? err : counted.links;
}

/* With one attribute of the kind's own, if len is not 0. */
static int link_new(const char *kind, const char *name, int lower, int attr,
		    const void *value, size_t len)
{
	struct nlattr *nest, *data;
	struct request req;

	request_init(&req, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
		     sizeof(req.ifi));
	put(&req, IFLA_IFNAME, name, strlen(name) + 1);
	if (lower)
		put(&req, IFLA_LINK, &lower, sizeof(lower));
	nest = put(&req, IFLA_LINKINFO, NULL, 0);
	put(&req, IFLA_INFO_KIND, kind, strlen(kind));
	if (len) {
		data = put(&req, IFLA_INFO_DATA, NULL, 0);
		put(&req, attr, value, len);
		put_end(&req, data);
	}
	put_end(&req, nest);
	return nl_ask(&req, NULL, NULL);
}

int link_create(const char *kind, const char *name)
{
	return link_new(kind, name, 0, 0, NULL, 0);
}

/* To a peer that need not be there. */
int link_create_gretap(const char *name, uint32_t remote)
{
	remote = htonl(remote);
	return link_new("gretap", name, 0, IFLA_GRE_REMOTE, &remote,
			sizeof(remote));
}

int link_create_vlan(int lower, const char *name, int id)
{
	uint16_t vlan = id;

	return link_new("vlan", name, lower, IFLA_VLAN_ID, &vlan, sizeof(vlan));
}

int link_create_veth(const char *name, const char *peer)
{
	struct nlattr *info, *data, *other;
	struct ifinfomsg ifi = { 0 };
	struct request req;

	request_init(&req, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
		     sizeof(req.ifi));
	put(&req, IFLA_IFNAME, name, strlen(name) + 1);
	info = put(&req, IFLA_LINKINFO, NULL, 0);
	put(&req, IFLA_INFO_KIND, "veth", strlen("veth"));
	data = put(&req, IFLA_INFO_DATA, NULL, 0);
	other = put(&req, VETH_INFO_PEER, &ifi, sizeof(ifi));
	put(&req, IFLA_IFNAME, peer, strlen(peer) + 1);
	put_end(&req, other);
	put_end(&req, data);
	put_end(&req, info);
	return nl_ask(&req, NULL, NULL);
}

int link_delete(int index)
{
	struct request req;

	request_init(&req, RTM_DELLINK, 0, sizeof(req.ifi));
	req.ifi.ifi_index = index;
	return nl_ask(&req, NULL, NULL);
}

int link_delete_kind(const char *kind)
{
	for (;;) {
		/* Of a kind not loaded, the kernel dumps all links. */
		struct counted counted = { .kind = kind };
		int err = dump_kind(kind, &counted);

		if (!err && counted.links)
			err = link_delete(counted.last);
		if (err || !counted.links)
			return err;
	}
}

int link_up(int index, bool up)
{
	struct request req;

	request_init(&req, RTM_SETLINK, 0, sizeof(req.ifi));
	req.ifi.ifi_index = index;
	req.ifi.ifi_change = IFF_UP;
	req.ifi.ifi_flags = up ? IFF_UP : 0;
	return nl_ask(&req, NULL, NULL);
}

static int link_set(int index, int attr, const void *data, size_t len)
{
	struct request req;

	request_init(&req, RTM_SETLINK, 0, sizeof(req.ifi));
	req.ifi.ifi_index = index;
	put(&req, attr, data, len);
	return nl_ask(&req, NULL, NULL);
}

int link_set_u32(int index, int attr, uint32_t value)
{
	return link_set(index, attr, &value, sizeof(value));
}

int link_set_u8(int index, int attr, uint8_t value)
{
	return link_set(index, attr, &value, sizeof(value));
}

int link_set_address(int index, const void *addr, int len)
{
	return link_set(index, IFLA_ADDRESS, addr, len);
}

int link_set_name(int index, const char *name)
{
	return link_set(index, IFLA_IFNAME, name, strlen(name) + 1);
}

int link_set_ns(int index, int ns_fd)
{
	return link_set_u32(index, IFLA_NET_NS_FD, ns_fd);
}

/* A program's descriptor, or -1 for none. */
int link_set_xdp(int index, int prog, uint32_t flags)
{
	struct nlattr *nest;
	struct request req;

	request_init(&req, RTM_SETLINK, 0, sizeof(req.ifi));
	req.ifi.ifi_index = index;
	nest = put(&req, IFLA_XDP | NLA_F_NESTED, NULL, 0);
	put(&req, IFLA_XDP_FD, &prog, sizeof(prog));
	put(&req, IFLA_XDP_FLAGS, &flags, sizeof(flags));
	put_end(&req, nest);
	return nl_ask(&req, NULL, NULL);
}

int qdisc_set(int index, uint32_t parent, uint32_t handle, const char *kind,
	      uint32_t limit)
{
	struct request req;

	request_init(&req, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE,
		     sizeof(req.tcm));
	req.tcm.tcm_family = AF_UNSPEC;
	req.tcm.tcm_ifindex = index;
	req.tcm.tcm_parent = parent;
	req.tcm.tcm_handle = handle;
	put(&req, TCA_KIND, kind, strlen(kind) + 1);
	if (limit)
		put(&req, TCA_OPTIONS, &limit, sizeof(limit));
	return nl_ask(&req, NULL, NULL);
}

struct qdisc {
	uint32_t handle;
	int64_t length;
};

static void parse_qdisc(struct nlmsghdr *nlh, void *arg)
{
	struct tcmsg *tcm = NLMSG_DATA(nlh);
	char *head = (char *)tcm + NLMSG_ALIGN(sizeof(*tcm));
	struct qdisc *qdisc = arg;
	struct tc_stats stats;
	struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWQDISC || tcm->tcm_handle != qdisc->handle)
		return;
	for_each_attr(attr, head, (char *)nlh + nlh->nlmsg_len - head) {
		if (attr->nla_type != TCA_STATS)
			continue;
		memset(&stats, 0, sizeof(stats));
		memcpy(&stats, ATTR_DATA(attr),
		       ATTR_LEN(attr) < (int)sizeof(stats) ?
		       (size_t)ATTR_LEN(attr) : sizeof(stats));
		qdisc->length = stats.qlen;
	}
}

/* How many packets wait in it. */
int64_t qdisc_length(int index, uint32_t handle)
{
	struct qdisc qdisc = { .handle = handle, .length = -ENOENT };
	struct request req;
	int err;

	/* Without the flag, the answer is for the listeners only. */
	request_init(&req, RTM_GETQDISC, NLM_F_ECHO, sizeof(req.tcm));
	req.tcm.tcm_family = AF_UNSPEC;
	req.tcm.tcm_ifindex = index;
	req.tcm.tcm_handle = handle;
	err = nl_ask(&req, parse_qdisc, &qdisc);
	return err ? err : qdisc.length;
}

static int addr_add(int index, int family, const void *addr, size_t len,
		    int prefix)
{
	struct request req;

	request_init(&req, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
		     sizeof(req.ifa));
	req.ifa.ifa_family = family;
	req.ifa.ifa_prefixlen = prefix;
	req.ifa.ifa_index = index;
	/* IPv6 addresses can be used at once. */
	req.ifa.ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0;
	put(&req, IFA_LOCAL, addr, len);
	put(&req, IFA_ADDRESS, addr, len);
	return nl_ask(&req, NULL, NULL);
}

int addr_add4(int index, uint32_t addr, int prefix)
{
	uint32_t be = htonl(addr);

	return addr_add(index, AF_INET, &be, sizeof(be), prefix);
}

int addr_add6(int index, const uint8_t addr[16], int prefix)
{
	return addr_add(index, AF_INET6, addr, 16, prefix);
}

int neigh_add4(int index, uint32_t addr, const uint8_t mac[6])
{
	uint32_t be = htonl(addr);
	struct request req;

	request_init(&req, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
		     sizeof(req.ndm));
	req.ndm.ndm_family = AF_INET;
	req.ndm.ndm_ifindex = index;
	req.ndm.ndm_state = NUD_PERMANENT;
	put(&req, NDA_DST, &be, sizeof(be));
	put(&req, NDA_LLADDR, mac, 6);
	return nl_ask(&req, NULL, NULL);
}

static void qdisc_request(struct request *req, int type, int flags, int index)
{
	request_init(req, type, flags, sizeof(req->tcm));
	req->tcm.tcm_ifindex = index;
	req->tcm.tcm_parent = TC_H_ROOT;
}

/* So many bytes a second, and burst of them at once. What waits, stays. */
int qdisc_set_rate(int index, uint32_t rate, uint32_t burst)
{
	struct tc_tbf_qopt tbf = {
		.rate = { .rate = rate, .linklayer = TC_LINKLAYER_ETHERNET },
		.limit = 1 << 30,
	};
	struct request req;
	struct nlattr *nest;

	qdisc_request(&req, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, index);
	put(&req, TCA_KIND, "tbf", sizeof("tbf"));
	nest = put(&req, TCA_OPTIONS, NULL, 0);
	put(&req, TCA_TBF_PARMS, &tbf, sizeof(tbf));
	put(&req, TCA_TBF_BURST, &burst, sizeof(burst));
	put_end(&req, nest);
	return nl_ask(&req, NULL, NULL);
}

/* A byte a second: what comes after the burst, stays. */
int qdisc_add_slow(int index, uint32_t burst)
{
	return qdisc_set_rate(index, 1, burst);
}

/* And what it held is dropped. */
int qdisc_delete(int index)
{
	struct request req;

	qdisc_request(&req, RTM_DELQDISC, 0, index);
	return nl_ask(&req, NULL, NULL);
}

/* A socket that hears of every change of a link. */
int rtnl_monitor(void)
{
	return nl_socket(RTMGRP_LINK);
}

bool link_is_running(const struct link_info *info, int64_t running)
{
	return !!(info->flags & IFF_RUNNING) == running;
}

/* The state now, then again at each notification about any link. */
static int link_wait_state(int index, link_pred *pred, int64_t arg)
{
	int64_t end = now_ms() + WAIT_MS;
	struct link_info info;
	int sock, err;

	sock = nl_socket(RTMGRP_LINK);
	if (sock < 0)
		return sock;
	for (;;) {
		char buf[16384];
		int left;

		err = link_get(index, &info);
		if (!pred && err == -ENODEV)
			err = 0;
		else if (!pred)
			err = -ETIMEDOUT;
		else if (!err && !pred(&info, arg))
			err = -ETIMEDOUT;
		left = end - now_ms();
		if (err != -ETIMEDOUT || left <= 0)
			break;
		if (wait_events(sock, POLLIN, left) > 0)
			recv(sock, buf, sizeof(buf), MSG_DONTWAIT);
	}
	close(sock);
	return err;
}

int link_wait(int index, link_pred *pred, int64_t arg)
{
	return link_wait_state(index, pred, arg);
}

int link_wait_gone(int index)
{
	return link_wait_state(index, NULL, 0);
}
