// SPDX-License-Identifier: GPL-2.0-only
/* Statistics of queues: see qstats.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/if.h>
#include <linux/netdev.h>
#include <linux/netlink.h>
#include <linux/sockios.h>

#include "qstats.h"

#define ATTR_DATA(a)	((void *)((char *)(a) + NLA_HDRLEN))

struct request {
	struct nlmsghdr nlh;
	struct genlmsghdr genl;
	char attrs[128];
};

static void request_init(struct request *req, int family, int cmd)
{
	memset(req, 0, sizeof(*req));
	req->nlh.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	req->nlh.nlmsg_type = family;
	req->nlh.nlmsg_flags = NLM_F_REQUEST;
	req->genl.cmd = cmd;
	req->genl.version = 1;
}

static void put(struct request *req, int type, const void *data, size_t len)
{
	struct nlattr *attr;

	attr = (void *)((char *)req + NLMSG_ALIGN(req->nlh.nlmsg_len));
	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	memcpy(ATTR_DATA(attr), data, len);
	req->nlh.nlmsg_len = NLMSG_ALIGN(req->nlh.nlmsg_len) +
			     NLA_ALIGN(attr->nla_len);
}

/* A number of 4 or 8 bytes, which need not be aligned. */
static int64_t number(const struct nlattr *attr)
{
	int64_t u64 = 0;

	memcpy(&u64, ATTR_DATA(attr), attr->nla_len == NLA_HDRLEN + 8 ? 8 : 4);
	return u64;
}

typedef void attr_fn(const struct nlattr *attr, void *arg);
typedef int message_fn(struct nlmsghdr *nlh, void *arg);

static void each_attr(struct nlmsghdr *nlh, attr_fn *fn, void *arg)
{
	char *at = (char *)NLMSG_DATA(nlh) + GENL_HDRLEN;
	char *end = (char *)nlh + nlh->nlmsg_len;

	while (at + NLA_HDRLEN <= end) {
		struct nlattr *attr = (void *)at;

		if (attr->nla_len < NLA_HDRLEN)
			return;
		fn(attr, arg);
		at += NLA_ALIGN(attr->nla_len);
	}
}

/* Until the error, the acknowledgement or the end of the dump. */
static int answers(int sock, message_fn *fn, void *arg)
{
	char buf[65536];

	for (;;) {
		int len = recv(sock, buf, sizeof(buf), 0), err;
		struct nlmsghdr *nlh = (void *)buf;

		if (len < 0)
			return -errno;
		for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
			if (nlh->nlmsg_type == NLMSG_DONE)
				return *(int *)NLMSG_DATA(nlh);
			if (nlh->nlmsg_type == NLMSG_ERROR)
				return *(int *)NLMSG_DATA(nlh);
			err = fn(nlh, arg);
			if (err)
				return err;
		}
	}
}

static int ask(struct request *req, message_fn *fn, void *arg)
{
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	int err;

	if (sock < 0)
		return -errno;
	if (send(sock, req, req->nlh.nlmsg_len, 0) < 0)
		err = -errno;
	else
		err = answers(sock, fn, arg);
	close(sock);
	return err;
}

static void family_attr(const struct nlattr *attr, void *arg)
{
	int *family = arg;

	if (attr->nla_type == CTRL_ATTR_FAMILY_ID)
		*family = *(uint16_t *)ATTR_DATA(attr);
}

static int family_message(struct nlmsghdr *nlh, void *arg)
{
	each_attr(nlh, family_attr, arg);
	return 0;
}

static int netdev_family(void)
{
	struct request req;
	int family = -ENOENT, err;

	request_init(&req, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	req.nlh.nlmsg_flags |= NLM_F_ACK;
	put(&req, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY_NAME,
	    sizeof(NETDEV_FAMILY_NAME));
	err = ask(&req, family_message, &family);
	return err ? err : family;
}

/* One message: of which queue, and what. */
struct message {
	int64_t queue;
	struct qstats *stats;
};

static void stats_attr(const struct nlattr *attr, void *arg)
{
	struct message *message = arg;
	struct qstats *s = message->stats;
	int64_t *const field[] = {
		[NETDEV_A_QSTATS_QUEUE_ID] = &message->queue,
		[NETDEV_A_QSTATS_RX_PACKETS] = s ? &s->rx_packets : NULL,
		[NETDEV_A_QSTATS_RX_BYTES] = s ? &s->rx_bytes : NULL,
		[NETDEV_A_QSTATS_RX_ALLOC_FAIL] = s ? &s->rx_alloc_fail : NULL,
		[NETDEV_A_QSTATS_RX_HW_DROPS] = s ? &s->rx_drops : NULL,
		[NETDEV_A_QSTATS_RX_HW_DROP_OVERRUNS] =
			s ? &s->rx_overruns : NULL,
		[NETDEV_A_QSTATS_TX_PACKETS] = s ? &s->tx_packets : NULL,
		[NETDEV_A_QSTATS_TX_BYTES] = s ? &s->tx_bytes : NULL,
		[NETDEV_A_QSTATS_TX_HW_DROPS] = s ? &s->tx_drops : NULL,
		[NETDEV_A_QSTATS_TX_STOP] = s ? &s->tx_stop : NULL,
		[NETDEV_A_QSTATS_TX_WAKE] = s ? &s->tx_wake : NULL,
	};

	if (attr->nla_type < sizeof(field) / sizeof(*field) &&
	    field[attr->nla_type])
		*field[attr->nla_type] = number(attr);
}

struct result {
	struct qstats *stats;
	int max, queues;
};

/* A queue's two directions come one by one. */
static int stats_message(struct nlmsghdr *nlh, void *arg)
{
	struct message message = { 0 };
	struct result *result = arg;

	each_attr(nlh, stats_attr, &message);
	if (message.queue >= result->max)
		return -E2BIG;
	if (message.queue >= result->queues)
		result->queues = message.queue + 1;
	message.stats = &result->stats[message.queue];
	each_attr(nlh, stats_attr, &message);
	return 0;
}

static int stats_get(int index, uint32_t scope, struct result *result)
{
	int family = netdev_family(), err;
	uint32_t ifindex = index;
	struct request req;

	if (family < 0)
		return family;
	memset(result->stats, 0xff, result->max * sizeof(*result->stats));
	request_init(&req, family, NETDEV_CMD_QSTATS_GET);
	req.nlh.nlmsg_flags |= NLM_F_DUMP;
	put(&req, NETDEV_A_QSTATS_IFINDEX, &ifindex, sizeof(ifindex));
	if (scope)
		put(&req, NETDEV_A_QSTATS_SCOPE, &scope, sizeof(scope));
	err = ask(&req, stats_message, result);
	return err ? err : result->queues;
}

/* Of the device in whole, what is gone included. */
int qstats_device(int index, struct qstats *stats)
{
	struct result result = { .stats = stats, .max = 1 };
	int ret = stats_get(index, 0, &result);

	return ret < 0 ? ret : ret == 1 ? 0 : -ENODATA;
}

/* Of each queue that the stack knows: how many there are. */
int qstats_queues(int index, struct qstats *stats, int max)
{
	struct result result = { .stats = stats, .max = max };

	return stats_get(index, NETDEV_QSTATS_SCOPE_QUEUE, &result);
}

static int eth(const char *dev, void *cmd)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
	struct ifreq ifr = { .ifr_data = cmd };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	ret = ioctl(sock, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
	close(sock);
	return ret;
}

static int64_t stat_value(const char *dev, const char *name, uint32_t n)
{
	struct ethtool_gstrings *names;
	struct ethtool_stats *stats;
	int64_t ret = -ENOENT;
	uint32_t i;
	int err;

	names = calloc(1, sizeof(*names) + n * ETH_GSTRING_LEN);
	stats = calloc(1, sizeof(*stats) + n * sizeof(stats->data[0]));
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_STATS;
	names->len = n;
	stats->cmd = ETHTOOL_GSTATS;
	stats->n_stats = n;
	err = eth(dev, names);
	if (!err)
		err = eth(dev, stats);
	for (i = 0; !err && i < n; i++) {
		if (!strcmp((char *)names->data + i * ETH_GSTRING_LEN, name))
			ret = stats->data[i];
	}
	free(names);
	free(stats);
	return err ? err : ret;
}

int64_t ethtool_stat(const char *dev, const char *name)
{
	struct {
		struct ethtool_sset_info head;
		uint32_t len;
	} info = { .head = {
		.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_STATS,
	} };
	int err = eth(dev, &info);

	return err ? err : stat_value(dev, name, info.len);
}

int ethtool_private_flags(const char *dev)
{
	struct ethtool_value value = { .cmd = ETHTOOL_GPFLAGS };
	int err = eth(dev, &value);

	return err ? err : (int)value.data;
}

int ethtool_set_private_flags(const char *dev, uint32_t flags)
{
	struct ethtool_value value = { .cmd = ETHTOOL_SPFLAGS, .data = flags };

	return eth(dev, &value);
}
