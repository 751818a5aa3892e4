// SPDX-License-Identifier: GPL-2.0-only
/* The system calls that rtun_fail_alloc makes: see fail_call.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/sockios.h>

#include "batch.h"
#include "bpf.h"
#include "fail_call.h"
#include "qstats.h"
#include "tun_test.h"

#define LEN		64
#define KEPT		128	/* packet headers that a CPU keeps for the next ones */

static int call_open(struct fail_subject *on, int flags)
{
	on->fd[0] = tun_open(O_NONBLOCK);
	return on->fd[0];
}

static int call_close(struct fail_subject *on, int flags)
{
	int ret = close(on->fd[0]) ? -errno : 0;

	on->fd[0] = -1;
	return ret;
}

static int call_set_iff(struct fail_subject *on, int flags)
{
	return tun_set_iff(on->fd[on->index ? 1 : 0], "ours", flags);
}

static int call_detach(struct fail_subject *on, int flags)
{
	return tun_queue(on->fd[1], IFF_DETACH_QUEUE);
}

static int call_attach(struct fail_subject *on, int flags)
{
	return tun_queue(on->fd[1], IFF_ATTACH_QUEUE);
}

static int call_persist(struct fail_subject *on, int flags)
{
	return tun_ioctl(on->fd[0], TUNSETPERSIST, 1);
}

static int call_link_type(struct fail_subject *on, int flags)
{
	return tun_ioctl(on->fd[0], TUNSETLINK, ARPHRD_PPP);
}

static int call_fasync(struct fail_subject *on, int flags)
{
	return fcntl(on->fd[0], F_SETFL, O_NONBLOCK | O_ASYNC) ? -errno : 0;
}

static int call_epoll(struct fail_subject *on, int flags)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(on->epoll, EPOLL_CTL_ADD, on->fd[0], &event) ?
	       -errno : 0;
}

static int call_poll(struct fail_subject *on, int flags)
{
	return wait_events(on->fd[0], POLLIN | POLLOUT, 0);
}

/* More packets than the CPU has headers for, which a socket keeps. */
static int call_write(struct fail_subject *on, int flags)
{
	const struct ethhdr packet[4] = { { .h_proto = htons(ETH_P_802_EX1) } };
	int ret;

	on->written = 0;
	do {
		on->written++;
		ret = write_ret(on->fd[0], packet, sizeof(packet));
	} while (ret > 0 && on->written <= KEPT);
	return ret;
}

/* More than a page: the buffer is put together from several. */
static int call_write_large(struct fail_subject *on, int flags)
{
	static uint8_t packet[30000] = { 0x45 };

	return write_ret(on->fd[0], packet, sizeof(packet));
}

static int call_send(struct fail_subject *on, int flags)
{
	uint8_t packet[LEN] = { 0x45 };

	return packet_send(on->sock, on->index, ETH_P_IP, packet,
			   sizeof(packet));
}

static int call_read(struct fail_subject *on, int flags)
{
	uint8_t packet[2 * LEN];

	return read_ret(on->fd[0], packet, sizeof(packet));
}

/* By ioctl: one system call, and so one place from which an error can come. */
static int dev_ioctl(struct fail_subject *on, int cmd, struct ifreq *ifr)
{
	memcpy(ifr->ifr_name, "ours", sizeof("ours"));
	return tun_ioctl_ptr(on->control, cmd, ifr);
}

static int call_txqlen(struct fail_subject *on, int flags)
{
	struct ifreq ifr = { .ifr_qlen = 700 };

	return dev_ioctl(on, SIOCSIFTXQLEN, &ifr);
}

static int call_mtu(struct fail_subject *on, int flags)
{
	struct ifreq ifr = { .ifr_mtu = 1400 };

	return dev_ioctl(on, SIOCSIFMTU, &ifr);
}

static int call_up(struct fail_subject *on, int flags)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP };

	return dev_ioctl(on, SIOCSIFFLAGS, &ifr);
}

static int call_rename(struct fail_subject *on, int flags)
{
	struct ifreq ifr = { .ifr_newname = "other" };

	return dev_ioctl(on, SIOCSIFNAME, &ifr);
}

static int call_socket(struct fail_subject *on, int flags)
{
	on->extra = tun_ioctl(on->fd[0], RTUN_SOCKET, O_CLOEXEC);
	return on->extra;
}

static int call_batch(struct fail_subject *on, int flags)
{
	return batch_set(on->fd[0], RTUN_BATCH_V1);
}

static int call_packed_write(struct fail_subject *on, int flags)
{
	static const uint8_t packet[LEN] = { 0x45 };
	static struct batch batch;

	batch.len = 0;
	batch_put(&batch, packet, sizeof(packet));
	return batch_write(on->fd[0], &batch);
}

static int call_send_more(struct fail_subject *on, int flags)
{
	uint8_t packet[LEN] = { 0x45 };
	int ret = send(on->extra, packet, sizeof(packet),
		       MSG_MORE | MSG_DONTWAIT);

	return ret < 0 ? -errno : ret;
}

static int call_peek(struct fail_subject *on, int flags)
{
	uint8_t packet[2 * LEN];
	int ret = recv(on->extra, packet, sizeof(packet),
		       MSG_PEEK | MSG_DONTWAIT);

	return ret < 0 ? -errno : ret;
}

static int call_private_flag(struct fail_subject *on, int flags)
{
	struct ethtool_value value = { .cmd = ETHTOOL_SPFLAGS, .data = 1 };
	struct ifreq ifr = { .ifr_data = (char *)&value };

	return dev_ioctl(on, SIOCETHTOOL, &ifr);
}

static int call_xdp(struct fail_subject *on, int flags)
{
	union bpf_attr attr = { .link_create = {
		.prog_fd = on->prog,
		.target_ifindex = on->index,
		.attach_type = BPF_XDP,
		.flags = XDP_FLAGS_DRV_MODE,
	} };

	on->extra = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return on->extra < 0 ? -errno : on->extra;
}

static int prepare_file(struct fail_subject *on)
{
	on->fd[on->index ? 1 : 0] = tun_open(O_NONBLOCK);
	return on->fd[on->index ? 1 : 0];
}

/* The second queue is disabled, and the stack has forgotten it. */
static int prepare_disabled(struct fail_subject *on)
{
	int err = tun_queue(on->fd[1], IFF_DETACH_QUEUE);

	if (!err)
		err = link_up(on->index, false);
	return err ? err : link_up(on->index, true);
}

static int prepare_disabled_only(struct fail_subject *on)
{
	return tun_queue(on->fd[1], IFF_DETACH_QUEUE);
}

static int prepare_epoll(struct fail_subject *on)
{
	on->epoll = epoll_create1(EPOLL_CLOEXEC);
	return on->epoll;
}

/* A writer waits for the interface to come up. */
static int prepare_writer(struct fail_subject *on)
{
	struct epoll_event event = { .events = EPOLLOUT };
	int err = prepare_epoll(on);

	if (err < 0)
		return err;
	return epoll_ctl(on->epoll, EPOLL_CTL_ADD, on->fd[0], &event) ?
	       -errno : 0;
}

static int prepare_sock(struct fail_subject *on)
{
	on->sock = packet_socket(on->index, 0);
	return on->sock;
}

/* It is the only one that gets what is written, and so gets no copy. */
static int prepare_keeper(struct fail_subject *on)
{
	on->sock = packet_socket(on->index, ETH_P_802_EX1);
	return on->sock;
}

static int prepare_packet(struct fail_subject *on)
{
	int err = prepare_sock(on);

	return err < 0 ? err : call_send(on, 0);
}

static int prepare_batch(struct fail_subject *on)
{
	return call_batch(on, 0);
}

/* Of what is sent by it, four packets wait for more. */
static int prepare_socket(struct fail_subject *on)
{
	struct ethtool_coalesce coalesce = {
		.cmd = ETHTOOL_SCOALESCE, .rx_max_coalesced_frames = 4,
	};
	struct ifreq ifr = { .ifr_data = (char *)&coalesce };
	int err = dev_ioctl(on, SIOCETHTOOL, &ifr);

	return err ? err : call_socket(on, 0);
}

static int prepare_socket_with_packet(struct fail_subject *on)
{
	int err = prepare_packet(on);

	return err < 0 ? err : call_socket(on, 0);
}

static int prepare_program(struct fail_subject *on)
{
	if (on->prog < 0)
		on->prog = bpf_load_constant(BPF_PROG_TYPE_XDP, XDP_PASS);
	return on->prog;
}

static int64_t received(const struct rtnl_link_stats64 *stats)
{
	return stats->rx_packets + stats->rx_dropped;
}

/* Each packet that was written is counted: as received, or as dropped. */
static int check_written(struct fail_subject *on, int ret)
{
	struct link_info info;
	int err = link_get(on->index, &info);

	if (err)
		return err;
	return received(&info.stats) - received(&on->stats) == on->written ?
	       0 : -EIO;
}

/*
 * What a packet socket has sent, but for what the stack itself lost on the
 * way, is to be read or was counted. What it could not send is neither.
 */
static int check_sent(struct fail_subject *on, int ret)
{
	struct link_info info;
	int i, there, err = link_get(on->index, &info);
	uint8_t packet[2 * LEN];

	if (err)
		return err;
	there = info.stats.tx_dropped - on->stats.tx_dropped;
	for (i = 0; i < 2; i++)
		there += read_ret(on->fd[i], packet, sizeof(packet)) > 0;
	return there == (ret > 0) ? 0 : -EIO;
}

/* What could not even be looked at is not counted. */
static int check_batch_written(struct fail_subject *on, int ret)
{
	struct link_info info;
	int err = link_get(on->index, &info);
	int64_t count = received(&info.stats) - received(&on->stats);

	if (err)
		return err;
	return count == (ret > 0) || (ret < 0 && count == 1) ? 0 : -EIO;
}

static int check_batch(struct fail_subject *on, int ret)
{
	return batch_get(on->fd[0]) == RTUN_BATCH_V1 ? 0 : -EIO;
}

static int check_private_flag(struct fail_subject *on, int ret)
{
	return ethtool_private_flags("ours") == (ret >= 0) ? 0 : -EIO;
}

static int check_program(struct fail_subject *on, int ret)
{
	struct link_info info;
	int err = link_get(on->index, &info);

	if (err)
		return err;
	return (info.xdp_mode == XDP_ATTACHED_DRV) == (ret >= 0) ? 0 : -EIO;
}

static int check_woken(struct fail_subject *on, int ret)
{
	struct epoll_event event;
	int n = epoll_wait(on->epoll, &event, 1, 0);

	return n == (ret >= 0) ? 0 : -EIO;
}

const struct fail_call fail_open = { .call = call_open };
const struct fail_call fail_set_iff = {
	.prepare = prepare_file,
	.call = call_set_iff,
};
const struct fail_call fail_attach = {
	.prepare = prepare_disabled,
	.call = call_attach,
};
const struct fail_call fail_detach = { .call = call_detach };
const struct fail_call fail_close = { .call = call_close };
const struct fail_call fail_txqlen = { .call = call_txqlen };
const struct fail_call fail_txqlen_disabled = {
	.prepare = prepare_disabled_only,
	.call = call_txqlen,
};
const struct fail_call fail_mtu = { .call = call_mtu };
const struct fail_call fail_up = {
	.prepare = prepare_writer,
	.call = call_up,
	.check = check_woken,
};
const struct fail_call fail_rename = { .call = call_rename };
const struct fail_call fail_persist = { .call = call_persist };
const struct fail_call fail_link_type = { .call = call_link_type };
const struct fail_call fail_write = {
	.prepare = prepare_keeper,
	.call = call_write,
	.check = check_written,
};
const struct fail_call fail_write_large = {
	.call = call_write_large,
	.check = check_written,
};
const struct fail_call fail_send = {
	.prepare = prepare_sock,
	.call = call_send,
	.check = check_sent,
};
const struct fail_call fail_read = {
	.prepare = prepare_packet,
	.call = call_read,
};
const struct fail_call fail_poll = { .call = call_poll };
const struct fail_call fail_epoll = {
	.prepare = prepare_epoll,
	.call = call_epoll,
};
const struct fail_call fail_fasync = { .call = call_fasync };
const struct fail_call fail_socket = { .call = call_socket };
const struct fail_call fail_send_more = {
	.prepare = prepare_socket,
	.call = call_send_more,
	.check = check_written,
};
const struct fail_call fail_peek = {
	.prepare = prepare_socket_with_packet,
	.call = call_peek,
};
const struct fail_call fail_batch = {
	.call = call_batch,
	.check = check_batch,
};
const struct fail_call fail_packed_write = {
	.prepare = prepare_batch,
	.call = call_packed_write,
	.check = check_batch_written,
};
const struct fail_call fail_xdp = {
	.prepare = prepare_program,
	.call = call_xdp,
	.check = check_program,
};
const struct fail_call fail_private_flag = {
	.call = call_private_flag,
	.check = check_private_flag,
};
