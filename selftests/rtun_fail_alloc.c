// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of a system call fails once, one after the other, until the
 * call gets by with fewer. A call that fails says so, with an errno of its
 * list, and leaves all as it was; the next one goes through the same file, and
 * the last one, for which nothing fails, must do it. Some failures are hidden:
 * the kernel tries again with less, or only a notification is lost. Then the
 * call must have done all that it does.
 *
 * Not here: the move to another namespace, where the stack itself warns about
 * a failed allocation. And not failed: what the kernel's checkers allocate for
 * themselves, which would be as much again, and end their checks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
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
#include "fail_nth.h"
#include "kmod.h"
#include "qstats.h"
#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define LIMIT		3000	/* allocations of a call */
#define DRIVERS		40	/* more than a driver's own of TUNSETIFF */
#define ERRNOS		3
#define LEN		64
#define KEPT		128	/* packet headers that a CPU keeps for the next ones */

#define SELF	FIXTURE_DATA(fail)
#define VARIANT	FIXTURE_VARIANT(fail)

/* What a call may change. */
struct state {
	int devices, modules, sockets, active, disabled, tx_queues, rx_queues, type;
	int txqlen, mtu, up, flags[2], async;
	char name[IFNAMSIZ];
};

FIXTURE(fail)
{
	int fd[2], index, sock, control, epoll, prog;
	int extra;		/* a descriptor that a call has made */
	int written;		/* packets, by a call */
	struct state before, after;
	struct rtnl_link_stats64 stats;
};

FIXTURE_VARIANT(fail)
{
	int flags;		/* of the device */
	int queues;		/* that it has before the call */
	bool up;
	int (*prepare)(SELF *self);
	int (*call)(SELF *self, int flags);
	int (*check)(SELF *self, int ret);
	int errnos[ERRNOS];	/* none: the call can not fail */
	int most;		/* allocations to let fail, or 0: all */
};

/* The calls: a value >= 0, or a negative errno. */

static int call_open(SELF *self, int flags)
{
	self->fd[0] = tun_open(O_NONBLOCK);
	return self->fd[0];
}

static int call_close(SELF *self, int flags)
{
	int ret = close(self->fd[0]) ? -errno : 0;

	self->fd[0] = -1;
	return ret;
}

static int call_set_iff(SELF *self, int flags)
{
	return tun_set_iff(self->fd[self->index ? 1 : 0], "ours", flags);
}

static int call_detach(SELF *self, int flags)
{
	return tun_queue(self->fd[1], IFF_DETACH_QUEUE);
}

static int call_attach(SELF *self, int flags)
{
	return tun_queue(self->fd[1], IFF_ATTACH_QUEUE);
}

static int call_persist(SELF *self, int flags)
{
	return tun_ioctl(self->fd[0], TUNSETPERSIST, 1);
}

static int call_link_type(SELF *self, int flags)
{
	return tun_ioctl(self->fd[0], TUNSETLINK, ARPHRD_PPP);
}

static int call_fasync(SELF *self, int flags)
{
	return fcntl(self->fd[0], F_SETFL, O_NONBLOCK | O_ASYNC) ? -errno : 0;
}

static int call_epoll(SELF *self, int flags)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->fd[0], &event) ?
	       -errno : 0;
}

static int call_poll(SELF *self, int flags)
{
	return wait_events(self->fd[0], POLLIN | POLLOUT, 0);
}

/* More packets than the CPU has headers for, which a socket keeps. */
static int call_write(SELF *self, int flags)
{
	const struct ethhdr packet[4] = { { .h_proto = htons(ETH_P_802_EX1) } };
	int ret;

	self->written = 0;
	do {
		self->written++;
		ret = write_ret(self->fd[0], packet, sizeof(packet));
	} while (ret > 0 && self->written <= KEPT);
	return ret;
}

/* More than a page: the buffer is put together from several. */
static int call_write_large(SELF *self, int flags)
{
	static uint8_t packet[30000] = { 0x45 };

	return write_ret(self->fd[0], packet, sizeof(packet));
}

static int call_send(SELF *self, int flags)
{
	uint8_t packet[LEN] = { 0x45 };

	return packet_send(self->sock, self->index, ETH_P_IP, packet,
			   sizeof(packet));
}

static int call_read(SELF *self, int flags)
{
	uint8_t packet[2 * LEN];

	return read_ret(self->fd[0], packet, sizeof(packet));
}

/* By ioctl: one system call, and so one place from which an error can come. */
static int dev_ioctl(SELF *self, int cmd, struct ifreq *ifr)
{
	memcpy(ifr->ifr_name, "ours", sizeof("ours"));
	return tun_ioctl_ptr(self->control, cmd, ifr);
}

static int call_txqlen(SELF *self, int flags)
{
	struct ifreq ifr = { .ifr_qlen = 700 };

	return dev_ioctl(self, SIOCSIFTXQLEN, &ifr);
}

static int call_mtu(SELF *self, int flags)
{
	struct ifreq ifr = { .ifr_mtu = 1400 };

	return dev_ioctl(self, SIOCSIFMTU, &ifr);
}

static int call_up(SELF *self, int flags)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP };

	return dev_ioctl(self, SIOCSIFFLAGS, &ifr);
}

static int call_rename(SELF *self, int flags)
{
	struct ifreq ifr = { .ifr_newname = "other" };

	return dev_ioctl(self, SIOCSIFNAME, &ifr);
}

static int call_socket(SELF *self, int flags)
{
	self->extra = tun_ioctl(self->fd[0], RTUN_SOCKET, O_CLOEXEC);
	return self->extra;
}

static int call_batch(SELF *self, int flags)
{
	return batch_set(self->fd[0], RTUN_BATCH_V1);
}

static int call_packed_write(SELF *self, int flags)
{
	static const uint8_t packet[LEN] = { 0x45 };
	static struct batch batch;

	batch.len = 0;
	batch_put(&batch, packet, sizeof(packet));
	return batch_write(self->fd[0], &batch);
}

static int call_send_more(SELF *self, int flags)
{
	uint8_t packet[LEN] = { 0x45 };
	int ret = send(self->extra, packet, sizeof(packet),
		       MSG_MORE | MSG_DONTWAIT);

	return ret < 0 ? -errno : ret;
}

static int call_peek(SELF *self, int flags)
{
	uint8_t packet[2 * LEN];
	int ret = recv(self->extra, packet, sizeof(packet),
		       MSG_PEEK | MSG_DONTWAIT);

	return ret < 0 ? -errno : ret;
}

static int call_private_flag(SELF *self, int flags)
{
	struct ethtool_value value = { .cmd = ETHTOOL_SPFLAGS, .data = 1 };
	struct ifreq ifr = { .ifr_data = (char *)&value };

	return dev_ioctl(self, SIOCETHTOOL, &ifr);
}

static int call_xdp(SELF *self, int flags)
{
	union bpf_attr attr = { .link_create = {
		.prog_fd = self->prog,
		.target_ifindex = self->index,
		.attach_type = BPF_XDP,
		.flags = XDP_FLAGS_DRV_MODE,
	} };

	self->extra = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return self->extra < 0 ? -errno : self->extra;
}

/* What has to be there before some calls, beyond the device's queues. */

static int prepare_file(SELF *self)
{
	self->fd[self->index ? 1 : 0] = tun_open(O_NONBLOCK);
	return self->fd[self->index ? 1 : 0];
}

/* The second queue is disabled, and the stack has forgotten it. */
static int prepare_disabled(SELF *self)
{
	int err = tun_queue(self->fd[1], IFF_DETACH_QUEUE);

	if (!err)
		err = link_up(self->index, false);
	return err ? err : link_up(self->index, true);
}

static int prepare_disabled_only(SELF *self)
{
	return tun_queue(self->fd[1], IFF_DETACH_QUEUE);
}

static int prepare_epoll(SELF *self)
{
	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	return self->epoll;
}

/* A writer waits for the interface to come up. */
static int prepare_writer(SELF *self)
{
	struct epoll_event event = { .events = EPOLLOUT };
	int err = prepare_epoll(self);

	if (err < 0)
		return err;
	return epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->fd[0], &event) ?
	       -errno : 0;
}

static int prepare_sock(SELF *self)
{
	self->sock = packet_socket(self->index, 0);
	return self->sock;
}

/* It is the only one that gets what is written, and so gets no copy. */
static int prepare_keeper(SELF *self)
{
	self->sock = packet_socket(self->index, ETH_P_802_EX1);
	return self->sock;
}

static int prepare_packet(SELF *self)
{
	int err = prepare_sock(self);

	return err < 0 ? err : call_send(self, 0);
}

static int prepare_batch(SELF *self)
{
	return call_batch(self, 0);
}

/* Of what is sent by it, four packets wait for more. */
static int prepare_socket(SELF *self)
{
	struct ethtool_coalesce coalesce = {
		.cmd = ETHTOOL_SCOALESCE, .rx_max_coalesced_frames = 4,
	};
	struct ifreq ifr = { .ifr_data = (char *)&coalesce };
	int err = dev_ioctl(self, SIOCETHTOOL, &ifr);

	return err ? err : call_socket(self, 0);
}

static int prepare_socket_with_packet(SELF *self)
{
	int err = prepare_packet(self);

	return err < 0 ? err : call_socket(self, 0);
}

static int prepare_program(SELF *self)
{
	if (self->prog < 0)
		self->prog = bpf_load_constant(BPF_PROG_TYPE_XDP, XDP_PASS);
	return self->prog;
}

static int64_t received(const struct rtnl_link_stats64 *stats)
{
	return stats->rx_packets + stats->rx_dropped;
}

/* Each packet that was written is counted: as received, or as dropped. */
static int check_written(SELF *self, int ret)
{
	struct link_info info;
	int err = link_get(self->index, &info);

	if (err)
		return err;
	return received(&info.stats) - received(&self->stats) == self->written ?
	       0 : -EIO;
}

/*
 * What a packet socket has sent, but for what the stack itself lost on the
 * way, is to be read or was counted. What it could not send is neither.
 */
static int check_sent(SELF *self, int ret)
{
	struct link_info info;
	int i, there, err = link_get(self->index, &info);
	uint8_t packet[2 * LEN];

	if (err)
		return err;
	there = info.stats.tx_dropped - self->stats.tx_dropped;
	for (i = 0; i < 2; i++)
		there += read_ret(self->fd[i], packet, sizeof(packet)) > 0;
	return there == (ret > 0) ? 0 : -EIO;
}

/* What could not even be looked at is not counted. */
static int check_batch_written(SELF *self, int ret)
{
	struct link_info info;
	int err = link_get(self->index, &info);
	int64_t count = received(&info.stats) - received(&self->stats);

	if (err)
		return err;
	return count == (ret > 0) || (ret < 0 && count == 1) ? 0 : -EIO;
}

static int check_batch(SELF *self, int ret)
{
	return batch_get(self->fd[0]) == RTUN_BATCH_V1 ? 0 : -EIO;
}

static int check_private_flag(SELF *self, int ret)
{
	return ethtool_private_flags("ours") == (ret >= 0) ? 0 : -EIO;
}

static int check_program(SELF *self, int ret)
{
	struct link_info info;
	int err = link_get(self->index, &info);

	if (err)
		return err;
	return (info.xdp_mode == XDP_ATTACHED_DRV) == (ret >= 0) ? 0 : -EIO;
}

static int check_woken(SELF *self, int ret)
{
	struct epoll_event event;
	int n = epoll_wait(self->epoll, &event, 1, 0);

	return n == (ret >= 0) ? 0 : -EIO;
}

/* The state. */

static void state_get(SELF *self, struct state *state)
{
	struct link_info info = { .name = "" };
	int i;

	memset(state, 0, sizeof(*state));
	/* Before what needs a netlink socket. */
	state->sockets = sockets_used();
	state->devices = link_count_kind(tun_kind(), NULL);
	state->modules = tun_module_refs();
	for (i = 0; i < 2; i++)
		state->flags[i] = tun_get_flags(self->fd[i]);
	state->async = fcntl(self->fd[0], F_GETFL) & O_ASYNC;
	if (link_get(self->index ?: link_index("ours"), &info))
		return;
	memcpy(state->name, info.name, IFNAMSIZ);
	state->active = info.queues;
	state->disabled = info.disabled;
	state->txqlen = info.txqlen;
	state->mtu = info.mtu;
	state->type = info.type;
	state->up = info.flags & IFF_UP;
	state->tx_queues = netdev_queues(info.name, "tx-");
	state->rx_queues = netdev_queues(info.name, "rx-");
	self->stats = info.stats;
}

/* The same when all that was closed is gone. */
static int state_settled(SELF *self, struct state *state)
{
	int err = rcu_barrier();

	state_get(self, state);
	return err;
}

static void state_log(struct __test_metadata *_metadata, const char *what,
		      const struct state *s)
{
	TH_LOG("%s: devices %d, module %d, sockets %d, queues %d+%d, shown %d/%d",
	       what, s->devices, s->modules, s->sockets, s->active,
	       s->disabled, s->tx_queues, s->rx_queues);
	TH_LOG("  txqueuelen %d, mtu %d, type %d, up %d, flags %#x %#x, async %#x, '%s'",
	       s->txqlen, s->mtu, s->type, s->up, s->flags[0], s->flags[1],
	       s->async, s->name);
}

static bool state_is(struct __test_metadata *_metadata, SELF *self,
		     const struct state *expected)
{
	struct state now;

	state_get(self, &now);
	if (!memcmp(&now, expected, sizeof(now)))
		return true;
	/* It may be what was not freed yet. */
	EXPECT_EQ(0, state_settled(self, &now));
	if (!memcmp(&now, expected, sizeof(now)))
		return true;
	state_log(_metadata, "expected", expected);
	state_log(_metadata, "found", &now);
	return false;
}

/* All as it is before the call. */
static int begin(SELF *self, const VARIANT *variant)
{
	int err;

	tun_close_all(self->fd, 2);
	close(self->sock);
	close(self->epoll);
	close(self->extra);
	self->sock = -1;
	self->epoll = -1;
	self->extra = -1;
	self->index = 0;
	err = link_delete_kind(tun_kind());
	if (!err)
		err = tun_attach_all("ours", variant->flags, self->fd,
				     variant->queues);
	if (err)
		return err;
	if (variant->queues)
		self->index = tun_index(self->fd[0]);
	if (variant->up)
		err = link_up(self->index, true);
	if (!err && variant->prepare)
		err = variant->prepare(self);
	return err < 0 ? err : 0;
}

/* What fail_nth_call() does. */
struct attempt {
	SELF *self;
	const VARIANT *variant;
};

static int attempt_call(void *arg)
{
	struct attempt *attempt = arg;

	/* Most calls that write, write one. */
	attempt->self->written = 1;
	return attempt->variant->call(attempt->self, attempt->variant->flags);
}

static bool may_say(const VARIANT *variant, int ret)
{
	int i;

	for (i = 0; i < ERRNOS; i++) {
		if (ret >= 0 || -ret == variant->errnos[i])
			return true;
	}
	return false;
}

FIXTURE_SETUP(fail)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, fail_nth_all_kinds());
	self->fd[0] = -1;
	self->fd[1] = -1;
	self->sock = -1;
	self->epoll = -1;
	self->prog = -1;
	self->extra = -1;
	self->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, self->control);
}

FIXTURE_TEARDOWN(fail)
{
	close(self->extra);
	tun_close_all(self->fd, 2);
	link_delete_kind(tun_kind());
}

FIXTURE_VARIANT_ADD(fail, open)
{
	.call = call_open,
	.errnos = { ENOMEM },
};

/*
 * ENOBUFS is what the stack's neighbour tables say, and EINVAL its answer when
 * there was no memory for the name. All of the stack's allocations are gone
 * through twice only; the driver's own are the first.
 */
FIXTURE_VARIANT_ADD(fail, create_tun)
{
	.flags = TUN_NOPI,
	.prepare = prepare_file,
	.call = call_set_iff,
	.errnos = { ENOMEM, ENOBUFS, EINVAL },
};

FIXTURE_VARIANT_ADD(fail, create_tap)
{
	.flags = TAP_NOPI,
	.prepare = prepare_file,
	.call = call_set_iff,
	.errnos = { ENOMEM, ENOBUFS, EINVAL },
	.most = DRIVERS,
};

FIXTURE_VARIANT_ADD(fail, create_tun_multi_queue)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.prepare = prepare_file,
	.call = call_set_iff,
	.errnos = { ENOMEM, ENOBUFS, EINVAL },
	.most = DRIVERS,
};

FIXTURE_VARIANT_ADD(fail, create_tap_multi_queue)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.prepare = prepare_file,
	.call = call_set_iff,
	.errnos = { ENOMEM, ENOBUFS, EINVAL },
};

FIXTURE_VARIANT_ADD(fail, join)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.queues = 1,
	.up = true,
	.prepare = prepare_file,
	.call = call_set_iff,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, attach)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.prepare = prepare_disabled,
	.call = call_attach,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, detach)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.call = call_detach,
};

FIXTURE_VARIANT_ADD(fail, close_last)
{
	.flags = TAP_NOPI,
	.queues = 1,
	.up = true,
	.call = call_close,
};

FIXTURE_VARIANT_ADD(fail, close_one)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.call = call_close,
};

/* The in-tree driver's error, whatever it was, is heard as EPERM. */
FIXTURE_VARIANT_ADD(fail, resize)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.call = call_txqlen,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, resize_multi_queue)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.prepare = prepare_disabled_only,
	.call = call_txqlen,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, mtu)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.call = call_mtu,
};

FIXTURE_VARIANT_ADD(fail, up)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.prepare = prepare_writer,
	.call = call_up,
	.check = check_woken,
};

FIXTURE_VARIANT_ADD(fail, rename)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.call = call_rename,
	.errnos = { ENOMEM, ENOBUFS },
};

FIXTURE_VARIANT_ADD(fail, persist)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.call = call_persist,
};

FIXTURE_VARIANT_ADD(fail, link_type)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.call = call_link_type,
};

FIXTURE_VARIANT_ADD(fail, write)
{
	.flags = TAP_NOPI,
	.queues = 1,
	.up = true,
	.prepare = prepare_keeper,
	.call = call_write,
	.check = check_written,
	.errnos = { ENOMEM, ENOBUFS },
};

FIXTURE_VARIANT_ADD(fail, write_large)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.call = call_write_large,
	.check = check_written,
	.errnos = { ENOMEM, ENOBUFS },
};

/* The errors are the packet socket's. */
FIXTURE_VARIANT_ADD(fail, send)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.prepare = prepare_sock,
	.call = call_send,
	.check = check_sent,
	.errnos = { ENOMEM, ENOBUFS },
};

FIXTURE_VARIANT_ADD(fail, read)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.prepare = prepare_packet,
	.call = call_read,
};

FIXTURE_VARIANT_ADD(fail, poll)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.call = call_poll,
};

FIXTURE_VARIANT_ADD(fail, epoll)
{
	.flags = TAP_NOPI,
	.queues = 1,
	.up = true,
	.prepare = prepare_epoll,
	.call = call_epoll,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, fasync)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.call = call_fasync,
	.errnos = { ENOMEM },
};

/* ENFILE is what the socket layer says when it has no memory for a socket. */
FIXTURE_VARIANT_ADD(fail, socket)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.call = call_socket,
	.errnos = { ENOMEM, ENFILE },
};

FIXTURE_VARIANT_ADD(fail, socket_send_more)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.prepare = prepare_socket,
	.call = call_send_more,
	.check = check_written,
	.errnos = { ENOMEM, ENOBUFS },
};

FIXTURE_VARIANT_ADD(fail, socket_peek)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.prepare = prepare_socket_with_packet,
	.call = call_peek,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, batch)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.call = call_batch,
	.check = check_batch,
};

FIXTURE_VARIANT_ADD(fail, batch_write)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.prepare = prepare_batch,
	.call = call_packed_write,
	.check = check_batch_written,
	.errnos = { ENOMEM, ENOBUFS },
};

FIXTURE_VARIANT_ADD(fail, xdp)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.prepare = prepare_program,
	.call = call_xdp,
	.check = check_program,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, backpressure_flag)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.call = call_private_flag,
	.check = check_private_flag,
	.errnos = { ENOMEM },
};

TEST_F_TIMEOUT(fail, each_allocation, 900)
{
	int n, refused = 0, hidden = 0, most = variant->most ?: LIMIT;
	struct attempt attempt = { .self = self, .variant = variant };
	struct fail_nth one = { .failed = true };

	/* What the call does when nothing fails. */
	ASSERT_EQ(0, begin(self, variant));
	ASSERT_EQ(0, state_settled(self, &self->before));
	ASSERT_LE(0, variant->call(self, variant->flags));
	ASSERT_EQ(0, state_settled(self, &self->after));
	ASSERT_EQ(0, begin(self, variant));
	for (n = 1; one.failed; n++) {
		ASSERT_TRUE(state_is(_metadata, self, &self->before));
		ASSERT_EQ(0, fail_nth_call(&one, n <= most ? n : LIMIT,
					   attempt_call, &attempt));
		EXPECT_TRUE(may_say(variant, one.ret))
			TH_LOG("allocation %d: %d", n, one.ret);
		if (variant->check)
			EXPECT_EQ(0, variant->check(self, one.ret)) {
				TH_LOG("allocation %d: %d", n, one.ret);
			}
		if (one.ret >= 0)
			ASSERT_TRUE(state_is(_metadata, self, &self->after)) {
				TH_LOG("allocation %d", n);
			}
		if (one.failed && one.ret >= 0)
			ASSERT_EQ(0, begin(self, variant));
		refused += one.failed && one.ret < 0;
		hidden += one.failed && one.ret >= 0;
	}
	EXPECT_LE(0, one.ret);
	TH_LOG("%d allocations: %d refused, %d hidden", n - 2, refused,
	       hidden);
	/* A list of errors that nothing gives would test nothing. */
	EXPECT_EQ(!!variant->errnos[0], !!refused);
}

static pid_t runner;

/* The other programs want the module as it was. */
static void load_again(void)
{
	if (getpid() == runner && (kmod_unload_when_idle() || kmod_load()))
		fputs("# the module can not be loaded again\n", stderr);
}

/*
 * Most attempts end with a device that is deleted, and the more queues it could
 * have, the longer that takes: two are enough. On one CPU: each keeps headers
 * of packets for the next ones.
 */
int main(int argc, char **argv)
{
	cpu_set_t one;

	if (!fail_nth_possible())
		ksft_exit_skip("only the debug kernel lets allocations fail\n");
	if (kmod_unload() || kmod_load_with("max_queues=2"))
		ksft_exit_fail_msg("the module can not be loaded anew\n");
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		ksft_exit_fail_perror("sched_setaffinity");
	runner = getpid();
	atexit(load_again);
	return test_harness_run(argc, argv);
}
