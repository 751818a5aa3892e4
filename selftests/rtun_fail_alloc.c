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
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail_call.h"
#include "fail_nth.h"
#include "kmod.h"
#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define LIMIT		3000	/* allocations of a call */
#define DRIVERS		40	/* more than a driver's own of TUNSETIFF */
#define ERRNOS		3

#define VARIANT	FIXTURE_VARIANT(fail)

/* What a call may change. */
struct state {
	int devices, modules, sockets, active, disabled, tx_queues, rx_queues, type;
	int txqlen, mtu, up, flags[2], async;
	char name[IFNAMSIZ];
};

FIXTURE(fail)
{
	struct fail_subject subject;
	struct state before, after;
};

FIXTURE_VARIANT(fail)
{
	int flags;		/* of the device */
	int queues;		/* that it has before the call */
	bool up;
	const struct fail_call *call;
	int errnos[ERRNOS];	/* none: the call can not fail */
	int most;		/* allocations to let fail, or 0: all */
};

static void state_get(struct fail_subject *on, struct state *state)
{
	struct link_info info = { .name = "" };
	int i;

	memset(state, 0, sizeof(*state));
	/* Before what needs a netlink socket. */
	state->sockets = sockets_used();
	state->devices = link_count_kind(tun_kind(), NULL);
	state->modules = tun_module_refs();
	for (i = 0; i < 2; i++)
		state->flags[i] = tun_get_flags(on->fd[i]);
	state->async = fcntl(on->fd[0], F_GETFL) & O_ASYNC;
	if (link_get(on->index ?: link_index("ours"), &info))
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
	on->stats = info.stats;
}

/* The same when all that was closed is gone. */
static int state_settled(struct fail_subject *on, struct state *state)
{
	int err = rcu_barrier();

	state_get(on, state);
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

static bool state_is(struct __test_metadata *_metadata, struct fail_subject *on,
		     const struct state *expected)
{
	struct state now;

	state_get(on, &now);
	if (!memcmp(&now, expected, sizeof(now)))
		return true;
	/* It may be what was not freed yet. */
	EXPECT_EQ(0, state_settled(on, &now));
	if (!memcmp(&now, expected, sizeof(now)))
		return true;
	state_log(_metadata, "expected", expected);
	state_log(_metadata, "found", &now);
	return false;
}

/* All as it is before the call. */
static int begin(struct fail_subject *on, const VARIANT *variant)
{
	int err;

	tun_close_all(on->fd, 2);
	close(on->sock);
	close(on->epoll);
	close(on->extra);
	on->sock = -1;
	on->epoll = -1;
	on->extra = -1;
	on->index = 0;
	err = link_delete_kind(tun_kind());
	if (!err)
		err = tun_attach_all("ours", variant->flags, on->fd,
				     variant->queues);
	if (err)
		return err;
	if (variant->queues)
		on->index = tun_index(on->fd[0]);
	if (variant->up)
		err = link_up(on->index, true);
	if (!err && variant->call->prepare)
		err = variant->call->prepare(on);
	return err < 0 ? err : 0;
}

/* What fail_nth_call() does. */
struct attempt {
	struct fail_subject *on;
	const VARIANT *variant;
};

static int attempt_call(void *arg)
{
	struct attempt *attempt = arg;

	/* Most calls that write, write one. */
	attempt->on->written = 1;
	return attempt->variant->call->call(attempt->on, attempt->variant->flags);
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
	struct fail_subject *on = &self->subject;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, fail_nth_all_kinds());
	on->fd[0] = -1;
	on->fd[1] = -1;
	on->sock = -1;
	on->epoll = -1;
	on->prog = -1;
	on->extra = -1;
	on->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, on->control);
}

FIXTURE_TEARDOWN(fail)
{
	struct fail_subject *on = &self->subject;

	close(on->extra);
	tun_close_all(on->fd, 2);
	link_delete_kind(tun_kind());
}

FIXTURE_VARIANT_ADD(fail, open)
{
	.call = &fail_open,
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
	.call = &fail_set_iff,
	.errnos = { ENOMEM, ENOBUFS, EINVAL },
};

FIXTURE_VARIANT_ADD(fail, create_tap)
{
	.flags = TAP_NOPI,
	.call = &fail_set_iff,
	.errnos = { ENOMEM, ENOBUFS, EINVAL },
	.most = DRIVERS,
};

FIXTURE_VARIANT_ADD(fail, create_tun_multi_queue)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.call = &fail_set_iff,
	.errnos = { ENOMEM, ENOBUFS, EINVAL },
	.most = DRIVERS,
};

FIXTURE_VARIANT_ADD(fail, create_tap_multi_queue)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.call = &fail_set_iff,
	.errnos = { ENOMEM, ENOBUFS, EINVAL },
};

FIXTURE_VARIANT_ADD(fail, join)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.queues = 1,
	.up = true,
	.call = &fail_set_iff,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, attach)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.call = &fail_attach,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, detach)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.call = &fail_detach,
};

FIXTURE_VARIANT_ADD(fail, close_last)
{
	.flags = TAP_NOPI,
	.queues = 1,
	.up = true,
	.call = &fail_close,
};

FIXTURE_VARIANT_ADD(fail, close_one)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.call = &fail_close,
};

/* The in-tree driver's error, whatever it was, is heard as EPERM. */
FIXTURE_VARIANT_ADD(fail, resize)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.call = &fail_txqlen,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, resize_multi_queue)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.call = &fail_txqlen_disabled,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, mtu)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.call = &fail_mtu,
};

FIXTURE_VARIANT_ADD(fail, up)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.call = &fail_up,
};

FIXTURE_VARIANT_ADD(fail, rename)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.call = &fail_rename,
	.errnos = { ENOMEM, ENOBUFS },
};

FIXTURE_VARIANT_ADD(fail, persist)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.call = &fail_persist,
};

FIXTURE_VARIANT_ADD(fail, link_type)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.call = &fail_link_type,
};

FIXTURE_VARIANT_ADD(fail, write)
{
	.flags = TAP_NOPI,
	.queues = 1,
	.up = true,
	.call = &fail_write,
	.errnos = { ENOMEM, ENOBUFS },
};

FIXTURE_VARIANT_ADD(fail, write_large)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.call = &fail_write_large,
	.errnos = { ENOMEM, ENOBUFS },
};

/* The errors are the packet socket's. */
FIXTURE_VARIANT_ADD(fail, send)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.call = &fail_send,
	.errnos = { ENOMEM, ENOBUFS },
};

FIXTURE_VARIANT_ADD(fail, read)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.call = &fail_read,
};

FIXTURE_VARIANT_ADD(fail, poll)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.call = &fail_poll,
};

FIXTURE_VARIANT_ADD(fail, epoll)
{
	.flags = TAP_NOPI,
	.queues = 1,
	.up = true,
	.call = &fail_epoll,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, fasync)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.call = &fail_fasync,
	.errnos = { ENOMEM },
};

/* ENFILE is what the socket layer says when it has no memory for a socket. */
FIXTURE_VARIANT_ADD(fail, socket)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.call = &fail_socket,
	.errnos = { ENOMEM, ENFILE },
};

FIXTURE_VARIANT_ADD(fail, socket_send_more)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.call = &fail_send_more,
	.errnos = { ENOMEM, ENOBUFS },
};

FIXTURE_VARIANT_ADD(fail, socket_peek)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.call = &fail_peek,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, batch)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.call = &fail_batch,
};

FIXTURE_VARIANT_ADD(fail, batch_write)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.call = &fail_packed_write,
	.errnos = { ENOMEM, ENOBUFS },
};

FIXTURE_VARIANT_ADD(fail, xdp)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.up = true,
	.call = &fail_xdp,
	.errnos = { ENOMEM },
};

FIXTURE_VARIANT_ADD(fail, backpressure_flag)
{
	.flags = TUN_NOPI,
	.queues = 1,
	.up = true,
	.call = &fail_private_flag,
	.errnos = { ENOMEM },
};

TEST_F_TIMEOUT(fail, each_allocation, 900)
{
	int n, refused = 0, hidden = 0, most = variant->most ?: LIMIT;
	struct fail_subject *on = &self->subject;
	const struct fail_call *call = variant->call;
	struct attempt attempt = { .on = on, .variant = variant };
	struct fail_nth one = { .failed = true };

	/* What the call does when nothing fails. */
	ASSERT_EQ(0, begin(on, variant));
	ASSERT_EQ(0, state_settled(on, &self->before));
	ASSERT_LE(0, call->call(on, variant->flags));
	ASSERT_EQ(0, state_settled(on, &self->after));
	ASSERT_EQ(0, begin(on, variant));
	for (n = 1; one.failed; n++) {
		ASSERT_TRUE(state_is(_metadata, on, &self->before));
		ASSERT_EQ(0, fail_nth_call(&one, n <= most ? n : LIMIT,
					   attempt_call, &attempt));
		EXPECT_TRUE(may_say(variant, one.ret))
			TH_LOG("allocation %d: %d", n, one.ret);
		if (call->check)
			EXPECT_EQ(0, call->check(on, one.ret)) {
				TH_LOG("allocation %d: %d", n, one.ret);
			}
		if (one.ret >= 0)
			ASSERT_TRUE(state_is(_metadata, on, &self->after)) {
				TH_LOG("allocation %d", n);
			}
		if (one.failed && one.ret >= 0)
			ASSERT_EQ(0, begin(on, variant));
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
