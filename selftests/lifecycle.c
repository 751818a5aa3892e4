// SPDX-License-Identifier: GPL-2.0-only
/* Attach, detach, close and delete, in every order. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

/*
 * The matrix: every sequence of three operations on two queues of a device,
 * next to a model that says what each must answer and what must be left.
 */
enum op { DETACH, ATTACH, CLOSE, DELETE, OPS };

enum state { ACTIVE, DISABLED, DEAD, CLOSED };

#define STEPS		3
#define CHOICES		7	/* three operations a queue, and delete */
#define SEQUENCES	(CHOICES * CHOICES * CHOICES)

#define SELF	FIXTURE_DATA(matrix)
#define VARIANT	FIXTURE_VARIANT(matrix)

FIXTURE(matrix)
{
	int fd[2], index;
	enum state state[2];
	bool exists;
};

FIXTURE_VARIANT(matrix)
{
	int flags;
	int queues;
	bool persist;
};

FIXTURE_VARIANT_ADD(matrix, one_queue)
{
	.flags = TUN_NOPI,
	.queues = 1,
};

FIXTURE_VARIANT_ADD(matrix, one_queue_persist)
{
	.flags = TAP_NOPI,
	.queues = 1,
	.persist = true,
};

FIXTURE_VARIANT_ADD(matrix, multi_queue)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
};

FIXTURE_VARIANT_ADD(matrix, multi_queue_persist)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
	.queues = 2,
	.persist = true,
};

FIXTURE_SETUP(matrix)
{
	ASSERT_EQ(0, ns_enter());
}

FIXTURE_TEARDOWN(matrix)
{
}

static int matrix_begin(SELF *self, const VARIANT *variant)
{
	int i, err;

	self->fd[1] = -1;
	self->state[1] = CLOSED;
	err = tun_attach_all("ours", variant->flags, self->fd,
			     variant->queues);
	if (err)
		return err;
	for (i = 0; i < variant->queues; i++)
		self->state[i] = ACTIVE;
	self->exists = true;
	self->index = tun_index(self->fd[0]);
	if (self->index < 0)
		return self->index;
	return tun_ioctl(self->fd[0], TUNSETPERSIST, variant->persist);
}

static int count_state(SELF *self, enum state state)
{
	return (self->state[0] == state) + (self->state[1] == state);
}

static int do_delete(SELF *self, int *expected)
{
	int i;

	*expected = self->exists ? 0 : -ENODEV;
	for (i = 0; i < 2; i++)
		if (self->state[i] != CLOSED)
			self->state[i] = DEAD;
	self->exists = false;
	return link_delete(self->index);
}

static int do_close(SELF *self, int q, bool persist)
{
	int ret = close(self->fd[q]) ? -errno : 0;

	self->fd[q] = -1;
	self->state[q] = CLOSED;
	if (!count_state(self, ACTIVE) && !count_state(self, DISABLED) &&
	    !persist)
		self->exists = false;
	return ret;
}

/* Does one operation; says what the model expects of it. */
static int matrix_step(SELF *self, const VARIANT *variant, int choice,
		       int *expected)
{
	int q = choice / DELETE, op = choice % DELETE;
	bool multi = variant->flags & IFF_MULTI_QUEUE;

	if (choice == CHOICES - 1)
		return do_delete(self, expected);
	*expected = 0;
	if (op == CLOSE)
		return do_close(self, q, variant->persist);
	if (op == DETACH) {
		if (self->state[q] == ACTIVE && multi)
			self->state[q] = DISABLED;
		else
			*expected = -EINVAL;
		return tun_queue(self->fd[q], IFF_DETACH_QUEUE);
	}
	if (self->state[q] == DISABLED)
		self->state[q] = ACTIVE;
	else
		*expected = -EINVAL;
	return tun_queue(self->fd[q], IFF_ATTACH_QUEUE);
}

/* Is what is left what the model says? */
static int matrix_check(SELF *self, bool multi)
{
	struct link_info info;
	int i, err = link_get(self->index, &info);

	if (err != (self->exists ? 0 : -ENODEV))
		return -1;
	if (self->exists && multi &&
	    (info.queues != count_state(self, ACTIVE) ||
	     info.disabled != count_state(self, DISABLED)))
		return -2;
	for (i = 0; i < 2; i++) {
		int flags;

		if (self->state[i] == CLOSED)
			continue;
		flags = tun_get_flags(self->fd[i]);
		if (self->state[i] == DEAD ? flags != -EBADFD :
		    !(flags & IFF_DETACH_QUEUE) != (self->state[i] == ACTIVE))
			return -3;
	}
	return 0;
}

static const char *choice_name(int choice)
{
	static const char *const names[CHOICES] = {
		"detach0", "attach0", "close0", "detach1", "attach1", "close1",
		"delete",
	};

	return names[choice];
}

/*
 * Queue 1 acts only after queue 0 has: the mirrored sequences do the same to
 * the other queue. A queue that is closed, or was never there, cannot act.
 */
static bool is_sequence(const int *choice, int queues)
{
	bool closed[2] = { false, queues < 2 };
	int step;

	for (step = 0; step < STEPS; step++) {
		int q = choice[step] / DELETE;

		if (choice[step] == CHOICES - 1)
			continue;
		if (closed[q] || (!step && q))
			return false;
		closed[q] = choice[step] % DELETE == CLOSE;
	}
	return true;
}

TEST_F_TIMEOUT(matrix, every_order, 600)
{
	int n, step, runs = 0;

	for (n = 0; n < SEQUENCES; n++) {
		int choice[STEPS] = { n / 49, n / 7 % 7, n % 7 };

		if (!is_sequence(choice, variant->queues))
			continue;
		ASSERT_EQ(0, matrix_begin(self, variant));
		for (step = 0; step < STEPS; step++) {
			int ret, expected;

			ret = matrix_step(self, variant, choice[step],
					  &expected);
			ASSERT_EQ(expected, ret)
				TH_LOG("%s %s %s: step %d",
				       choice_name(choice[0]),
				       choice_name(choice[1]),
				       choice_name(choice[2]), step);
			ret = matrix_check(self,
					   variant->flags & IFF_MULTI_QUEUE);
			ASSERT_EQ(0, ret)
				TH_LOG("%s %s %s: after step %d",
				       choice_name(choice[0]),
				       choice_name(choice[1]),
				       choice_name(choice[2]), step);
		}
		tun_close_all(self->fd, 2);
		if (self->exists && variant->persist)
			ASSERT_EQ(0, link_delete(self->index));
		ASSERT_EQ(-ENODEV, link_index("ours"));
		runs++;
	}
	TH_LOG("%d sequences", runs);
	ASSERT_LT(30, runs);
}

FIXTURE(lifecycle)
{
	int fd;
};

FIXTURE_VARIANT(lifecycle)
{
	int type;
};

FIXTURE_VARIANT_ADD(lifecycle, tun)
{
	.type = IFF_TUN,
};

FIXTURE_VARIANT_ADD(lifecycle, tap)
{
	.type = IFF_TAP,
};

FIXTURE_SETUP(lifecycle)
{
	ASSERT_EQ(0, ns_enter());
	self->fd = tun_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(lifecycle)
{
	close(self->fd);
}

TEST_F(lifecycle, close_deletes)
{
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->type));
	ASSERT_LT(0, link_index("ours"));
	close(self->fd);
	EXPECT_EQ(-ENODEV, link_index("ours"));
	self->fd = tun_create("ours", variant->type);
	EXPECT_LE(0, self->fd);
}

TEST_F(lifecycle, persist_survives)
{
	struct link_info info;
	int index;

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->type));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	index = tun_index(self->fd);
	ASSERT_EQ(0, link_up(index, true));
	close(self->fd);
	ASSERT_EQ(0, link_get(index, &info));
	EXPECT_EQ(1, info.persist);
	EXPECT_EQ(0, info.carrier);

	self->fd = tun_create("ours", variant->type);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(index, tun_index(self->fd));
	EXPECT_EQ(0, link_wait(index, link_is_running, true));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
	close(self->fd);
	EXPECT_EQ(-ENODEV, link_index("ours"));
}

/* The first queue of a device decides its flags, and only the first. */
TEST_F(lifecycle, reattach_changes_flags)
{
	struct link_info info;
	int second;

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours",
				 variant->type | IFF_MULTI_QUEUE));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	second = tun_create("ours", variant->type | IFF_MULTI_QUEUE |
			    IFF_NO_PI);
	ASSERT_LE(0, second);
	ASSERT_EQ(0, link_get(tun_index(self->fd), &info));
	EXPECT_EQ(1, info.pi);
	close(second);
	close(self->fd);
	self->fd = tun_create("ours", variant->type | IFF_MULTI_QUEUE |
			      IFF_NO_PI);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, link_get(tun_index(self->fd), &info));
	EXPECT_EQ(0, info.pi);
	EXPECT_EQ(1, info.persist);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
}

TEST_F(lifecycle, calls_after_death)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	int index, on = 1;
	char buf[64] = { 0x45 };

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->type |
				 IFF_NO_PI | IFF_MULTI_QUEUE));
	ASSERT_EQ(0, link_delete(tun_index(self->fd)));
	EXPECT_EQ(-EBADFD, read_ret(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(-EBADFD, write_ret(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(-EBADFD, tun_ioctl_ptr(self->fd, TUNGETIFF, &ifr));
	EXPECT_EQ(-EBADFD, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	EXPECT_EQ(-EBADFD, tun_ioctl(self->fd, TUNSETOWNER, 0));
	EXPECT_EQ(-EBADFD, tun_ioctl(self->fd, TUNSETLINK, 1));
	EXPECT_EQ(-EBADFD, tun_ioctl_ptr(self->fd, TUNSETCARRIER, &on));
	EXPECT_EQ(-EINVAL, tun_queue(self->fd, IFF_ATTACH_QUEUE));
	EXPECT_EQ(-EINVAL, tun_queue(self->fd, IFF_DETACH_QUEUE));
	index = wait_events(self->fd, POLLIN, WAIT_MS);
	EXPECT_EQ(POLLERR, index & POLLERR);
}

/* The file may start again with another device. */
TEST_F(lifecycle, reuse_after_death)
{
	int index;
	bool detach;

	for (detach = false;; detach = true) {
		ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->type |
					 IFF_MULTI_QUEUE));
		index = tun_index(self->fd);
		if (detach)
			ASSERT_EQ(0, tun_queue(self->fd, IFF_DETACH_QUEUE));
		ASSERT_EQ(0, link_delete(index));
		ASSERT_EQ(-EBADFD, tun_get_flags(self->fd));
		if (detach)
			break;
	}
	ASSERT_EQ(0, tun_set_iff(self->fd, "other", variant->type));
	EXPECT_LT(0, link_index("other"));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(-ENODEV, link_index("other"));
}

TEST_F(lifecycle, delete_persistent_unattached)
{
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->type));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	close(self->fd);
	ASSERT_EQ(0, link_delete(link_index("ours")));
	EXPECT_EQ(-ENODEV, link_index("ours"));
	self->fd = tun_create("ours", variant->type | IFF_TUN_EXCL);
	EXPECT_LE(0, self->fd);
}

TEST_F(lifecycle, delete_by_other_process)
{
	pid_t pid;
	int index;

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->type));
	index = tun_index(self->fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(link_delete(index) ? 1 : 0);
	ASSERT_EQ(0, wait_exit(pid));
	EXPECT_EQ(-EBADFD, tun_get_flags(self->fd));
	EXPECT_EQ(-ENODEV, link_index("ours"));
}

/* The device lives as long as the last descriptor of the open file. */
TEST_F(lifecycle, dup_keeps)
{
	int copy;

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->type));
	copy = dup(self->fd);
	ASSERT_LE(0, copy);
	close(self->fd);
	EXPECT_LT(0, link_index("ours"));
	self->fd = copy;
	EXPECT_LE(0, tun_get_flags(self->fd));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(-ENODEV, link_index("ours"));
}

TEST_F(lifecycle, fork_keeps)
{
	int go[2], index;
	pid_t pid;
	char c;

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->type));
	index = tun_index(self->fd);
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(go[1]);
		if (read(go[0], &c, 1) != 1 || tun_get_flags(self->fd) < 0)
			_exit(1);
		_exit(0);
	}
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(index, link_index("ours"));
	ASSERT_EQ(1, write(go[1], "", 1));
	EXPECT_EQ(0, wait_exit(pid));
	EXPECT_EQ(0, link_wait_gone(index));
}

/* A device with queues that are all disabled stays; so does its name. */
TEST_F(lifecycle, all_disabled)
{
	struct link_info info;
	int second;

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours",
				 variant->type | IFF_MULTI_QUEUE));
	ASSERT_EQ(0, tun_queue(self->fd, IFF_DETACH_QUEUE));
	ASSERT_EQ(0, link_get(link_index("ours"), &info));
	EXPECT_EQ(0, info.queues);
	EXPECT_EQ(1, info.disabled);
	second = tun_create("ours", variant->type | IFF_MULTI_QUEUE);
	ASSERT_LE(0, second);
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, link_get(link_index("ours"), &info));
	EXPECT_EQ(1, info.queues);
	EXPECT_EQ(0, info.disabled);
	close(second);
	EXPECT_EQ(-ENODEV, link_index("ours"));
}

static int sysfs_tx_queues(const char *name)
{
	char path[64];
	int n;

	for (n = 0; n < MAX_QUEUES + 1; n++) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/queues/tx-%d",
			 name, n);
		if (access(path, F_OK))
			break;
	}
	return n;
}

FIXTURE(many)
{
	int fd[MAX_QUEUES], max;
};

FIXTURE_SETUP(many)
{
	int i;

	ASSERT_EQ(0, ns_enter());
	self->max = tun_max_queues();
	for (i = 0; i < MAX_QUEUES; i++)
		self->fd[i] = -1;
}

FIXTURE_TEARDOWN(many)
{
	tun_close_all(self->fd, self->max);
}

TEST_F(many, one_too_many)
{
	int flags = IFF_TAP | IFF_MULTI_QUEUE;
	struct link_info info;

	ASSERT_EQ(0, tun_attach_all("ours", flags, self->fd, self->max));
	ASSERT_EQ(0, link_get(link_index("ours"), &info));
	EXPECT_EQ(self->max, info.queues);
	EXPECT_EQ(self->max, info.num_tx_queues);
	EXPECT_EQ(self->max, sysfs_tx_queues("ours"));
	EXPECT_EQ(-E2BIG, tun_create("ours", flags));

	/* A disabled queue keeps its place. */
	ASSERT_EQ(0, tun_queue(self->fd[self->max / 2], IFF_DETACH_QUEUE));
	EXPECT_EQ(-E2BIG, tun_create("ours", flags));
	ASSERT_EQ(0, tun_queue(self->fd[self->max / 2], IFF_ATTACH_QUEUE));
	close(self->fd[7]);
	self->fd[7] = tun_create("ours", flags);
	EXPECT_LE(0, self->fd[7]);
	EXPECT_EQ(-E2BIG, tun_create("ours", flags));
}

TEST_F(many, delete)
{
	int i;

	ASSERT_EQ(0, tun_attach_all("ours", IFF_TUN | IFF_MULTI_QUEUE,
				    self->fd, self->max));
	for (i = self->max / 2; i < self->max; i++)
		ASSERT_EQ(0, tun_queue(self->fd[i], IFF_DETACH_QUEUE)) {
			TH_LOG("queue %d", i);
		}
	/* rtun shows fewer queues once the interface is set up or down. */
	ASSERT_EQ(0, link_up(link_index("ours"), true));
	EXPECT_EQ(self->max / 2, sysfs_tx_queues("ours"));
	ASSERT_EQ(0, link_delete(link_index("ours")));
	for (i = 0; i < self->max; i++)
		EXPECT_EQ(-EBADFD, tun_get_flags(self->fd[i]));
}

TEST_HARNESS_MAIN
