// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the in-tree driver broke before: a test for each, by its CVE or by what
 * it was. What they look for is a splat, a hang, or something left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "bpf.h"
#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define CREW		4
#define ROUNDS		30
#define ENOUGH_MS	20000	/* of a race, where each call is checked */
#define OPENER		100	/* a user, and fewer than the bytes of a packet */
#define PACKET_LEN	500

#define SELF		FIXTURE_DATA(regress)

/* Threads that begin to use a file at the same moment. */
struct crew;

struct member {
	struct crew *crew;
	int fd, calls;
	int (*use)(int fd);	/* 0, or an answer that must not be */
	int result;		/* the last that was not 0 */
	pthread_t thread;
};

struct crew {
	struct member member[CREW];
	int members;
	int calls;		/* of each, or 0: until told to stop */
	bool closes;		/* its file, after its last call */
	atomic_bool stop;
	pthread_barrier_t start;
};

static void *member_main(void *arg)
{
	struct member *member = arg;
	struct crew *crew = member->crew;

	pthread_barrier_wait(&crew->start);
	do {
		int ret = member->use(member->fd);

		if (ret)
			member->result = ret;
	} while (!crew->stop && ++member->calls != crew->calls);
	if (crew->closes)
		close(member->fd);
	return NULL;
}

/* The caller is at the start too. */
static int crew_init(struct crew *crew, int members, int calls)
{
	memset(crew, 0, sizeof(*crew));
	crew->calls = calls;
	return -pthread_barrier_init(&crew->start, NULL, members + 1);
}

static int crew_add(struct crew *crew, int fd, int (*use)(int fd))
{
	struct member *member = &crew->member[crew->members++];

	member->crew = crew;
	member->fd = fd;
	member->use = use;
	if (fd < 0)
		return -EBADF;
	return -pthread_create(&member->thread, NULL, member_main, member);
}

/* What any of them must not have been told, or 0. */
static int crew_join(struct crew *crew)
{
	int i, odd = 0;

	crew->stop = !crew->calls;
	for (i = 0; i < crew->members; i++) {
		pthread_join(crew->member[i].thread, NULL);
		if (crew->member[i].result)
			odd = crew->member[i].result;
	}
	pthread_barrier_destroy(&crew->start);
	return odd;
}

/* Is a race to be run once more? */
static bool once_more(int round, int rounds, int64_t start)
{
	return round < rounds && now_ms() - start < ENOUGH_MS;
}

static int use_read(int fd)
{
	char buf[128];
	int ret = read_ret(fd, buf, sizeof(buf));

	return ret >= 0 || ret == -EAGAIN || ret == -EBADFD ? 0 : ret;
}

static int use_write(int fd)
{
	uint8_t packet[64] = { 0x45 };
	int ret = write_ret(fd, packet, sizeof(packet));

	return ret > 0 || ret == -EIO || ret == -EBADFD ? 0 : ret;
}

static int use_detach(int fd)
{
	int ret = tun_queue(fd, IFF_DETACH_QUEUE);

	if (!ret)
		ret = tun_queue(fd, IFF_ATTACH_QUEUE);
	return ret == -EINVAL ? 0 : ret;
}

static int use_poll(int fd)
{
	int ret = wait_events(fd, POLLIN, 0);

	return ret < 0 ? ret : 0;
}

/* IFF_NAPI if the driver has it: several of these were about it. */
static int napi_flag(void)
{
	unsigned int features = 0;
	int fd = tun_open(0);
	int err = tun_ioctl_ptr(fd, TUNGETFEATURES, &features);

	close(fd);
	return err ? err : (int)(features & IFF_NAPI);
}

FIXTURE(regress)
{
	int fd[2], flags;
};

FIXTURE_SETUP(regress)
{
	ASSERT_EQ(0, ns_enter());
	self->fd[0] = -1;
	self->fd[1] = -1;
	self->flags = TAP_NOPI | IFF_MULTI_QUEUE;
}

FIXTURE_TEARDOWN(regress)
{
	tun_close_all(self->fd, 2);
}

/* Two queues of a device that is up. */
static int two_queues(SELF *self)
{
	int err = tun_attach_all("ours", self->flags, self->fd, 2);

	return err ? err : link_up(tun_index(self->fd[0]), true);
}

/*
 * Whoever leaves a file last ends its queue, while others use the device; and,
 * every other time, the device is deleted under them.
 */
static int close_race(SELF *self, int round)
{
	struct crew crew;
	int index, err, i;

	err = two_queues(self);
	if (err)
		return err;
	index = tun_index(self->fd[0]);
	err = crew_init(&crew, CREW, 1 + round % 7);
	crew.closes = true;
	for (i = 0; !err && i < CREW; i++) {
		static int (*const uses[CREW])(int fd) = {
			use_read, use_write, use_detach, use_poll,
		};

		err = crew_add(&crew, dup(self->fd[i % 2]), uses[i]);
	}
	if (err)
		return err;
	pthread_barrier_wait(&crew.start);
	if (round & 1)
		link_delete(index);
	tun_close_all(self->fd, 2);
	return crew_join(&crew);
}

TEST_F(regress, cve_2022_49014)
{
	int64_t start = now_ms();
	int round;

	for (round = 0; once_more(round, ROUNDS, start); round++) {
		ASSERT_EQ(0, close_race(self, round)) {
			TH_LOG("round %d", round);
		}
		ASSERT_EQ(-ENODEV, link_index("ours"));
	}
}

static int send_to(int index)
{
	uint8_t packet[64] = { 0 };
	int sock = packet_socket(index, 0);
	int ret = packet_send(sock, index, PROTO_TEST, packet, sizeof(packet));

	close(sock);
	return ret;
}

/* A disabled queue is closed, and nothing of it is left for the device. */
TEST_F(regress, cve_2022_49672)
{
	struct link_info info;
	int n, index;

	self->flags |= napi_flag();
	for (n = 0; n < 4; n++) {
		ASSERT_EQ(0, two_queues(self));
		index = tun_index(self->fd[0]);
		EXPECT_EQ(0, use_write(self->fd[1]));
		ASSERT_EQ(0, tun_queue(self->fd[1], IFF_DETACH_QUEUE));
		close(self->fd[1]);
		self->fd[1] = -1;
		ASSERT_EQ(0, link_get(index, &info));
		EXPECT_EQ(1, info.queues);
		EXPECT_EQ(0, info.disabled);
		ASSERT_EQ(0, link_up(index, false));
		ASSERT_EQ(0, link_up(index, true));
		EXPECT_EQ(64, send_to(index));
		if (n & 1)
			ASSERT_EQ(0, link_delete(index));
		tun_close_all(self->fd, 2);
		EXPECT_EQ(-ENODEV, link_index("ours"));
	}
}

/* What a detach has ended, a close or a deletion must not end again. */
TEST_F(regress, napi_disabled_twice)
{
	int n, index;

	self->flags |= napi_flag();
	for (n = 0; n < 4; n++) {
		ASSERT_EQ(0, two_queues(self));
		index = tun_index(self->fd[0]);
		ASSERT_EQ(0, tun_queue(self->fd[0], IFF_DETACH_QUEUE));
		ASSERT_EQ(0, tun_queue(self->fd[1], IFF_DETACH_QUEUE));
		if (n & 1) {
			ASSERT_EQ(0, tun_queue(self->fd[0], IFF_ATTACH_QUEUE));
			EXPECT_EQ(0, use_write(self->fd[0]));
		}
		if (n & 2)
			ASSERT_EQ(0, link_delete(index));
		tun_close_all(self->fd, 2);
		EXPECT_EQ(-ENODEV, link_index("ours"));
	}
}

/* Queues that were disabled when they were closed, one after the other. */
TEST_F(regress, detached_napi_leak)
{
	struct link_info info;
	int n;

	self->flags |= napi_flag();
	ASSERT_EQ(0, two_queues(self));
	for (n = 0; n < ROUNDS; n++) {
		ASSERT_EQ(0, tun_queue(self->fd[1], IFF_DETACH_QUEUE));
		close(self->fd[1]);
		self->fd[1] = tun_create("ours", self->flags);
		ASSERT_LE(0, self->fd[1]);
		EXPECT_EQ(0, use_write(self->fd[1]));
	}
	ASSERT_EQ(0, link_get(tun_index(self->fd[0]), &info));
	EXPECT_EQ(2, info.queues);
	EXPECT_EQ(0, info.disabled);
}

/* A TUNSETIFF that fails late: the index is found taken after all is made. */
static int set_iff_refused(int fd, int flags)
{
	int taken = link_index("lo"), any = 0, ret, err;

	err = tun_ioctl_ptr(fd, TUNSETIFINDEX, &taken);
	if (err)
		return err;
	ret = tun_set_iff(fd, "ours", flags);
	err = tun_ioctl_ptr(fd, TUNSETIFINDEX, &any);
	return err ? err : ret;
}

TEST_F(regress, cve_2021_47082)
{
	static const int flags[] = {
		IFF_TUN, IFF_TAP, IFF_TUN | IFF_MULTI_QUEUE,
		IFF_TAP | IFF_MULTI_QUEUE,
	};
	int n, fd;

	for (n = 0; n < 4 * ARRAY_SIZE(flags); n++) {
		int type = flags[n % ARRAY_SIZE(flags)];

		fd = tun_open(O_NONBLOCK);
		ASSERT_LE(0, fd);
		/* With a past, as well as without. */
		if (n & 4) {
			ASSERT_EQ(0, tun_set_iff(fd, "ours", type));
			ASSERT_EQ(0, link_delete(link_index("ours")));
		}
		EXPECT_EQ(-EBUSY, set_iff_refused(fd, type));
		EXPECT_EQ(-EBUSY, set_iff_refused(fd, type));
		EXPECT_EQ(-ENODEV, link_index("ours"));
		/* Closed as it is, or used. */
		if (n & 8) {
			EXPECT_EQ(0, tun_set_iff(fd, "ours", type));
			EXPECT_LT(0, link_index("ours"));
		}
		close(fd);
		EXPECT_EQ(-ENODEV, link_index("ours"));
	}
}

/* A file whose device never comes to be has none at any moment. */
static int no_read(int fd)
{
	char buf[64];
	int ret = read_ret(fd, buf, sizeof(buf));

	return ret == -EBADFD ? 0 : ret;
}

static int no_write(int fd)
{
	uint8_t packet[64] = { 0x45 };
	int ret = write_ret(fd, packet, sizeof(packet));

	return ret == -EBADFD ? 0 : ret;
}

static int no_poll(int fd)
{
	int ret = wait_events(fd, POLLIN, 0);

	return ret == POLLERR ? 0 : ret;
}

static int no_flags(int fd)
{
	int ret = tun_get_flags(fd);

	return ret == -EBADFD ? 0 : ret;
}

TEST_F(regress, register_failed_use_2019)
{
	int n, fd = tun_open(O_NONBLOCK);
	int64_t start = now_ms();
	struct crew crew;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, crew_init(&crew, CREW, 0));
	ASSERT_EQ(0, crew_add(&crew, fd, no_read));
	ASSERT_EQ(0, crew_add(&crew, fd, no_write));
	ASSERT_EQ(0, crew_add(&crew, fd, no_poll));
	ASSERT_EQ(0, crew_add(&crew, fd, no_flags));
	pthread_barrier_wait(&crew.start);
	for (n = 0; once_more(n, 4 * ROUNDS, start); n++) {
		EXPECT_EQ(-EBUSY, set_iff_refused(fd, n & 1 ? IFF_TAP :
						  IFF_TUN | IFF_MULTI_QUEUE));
	}
	EXPECT_EQ(0, crew_join(&crew));
	for (n = 0; n < CREW; n++)
		EXPECT_LT(0, crew.member[n].calls);
	close(fd);
}

/* Of many that ask for the same at once, one gets it. */
static int race(int (*take)(int fd), int index)
{
	struct crew crew;
	int i, won = 0, err = crew_init(&crew, CREW, 1);

	for (i = 0; !err && i < CREW; i++) {
		int fd = tun_open(O_NONBLOCK);

		if (index)
			err = tun_ioctl_ptr(fd, TUNSETIFINDEX, &index);
		if (!err)
			err = crew_add(&crew, fd, take);
	}
	if (err)
		return err;
	pthread_barrier_wait(&crew.start);
	crew_join(&crew);
	for (i = 0; i < CREW; i++) {
		int ret = crew.member[i].result;

		close(crew.member[i].fd);
		if (ret && ret != -EBUSY)
			err = ret;
		won += !ret;
	}
	return err ? err : won;
}

static int take_name(int fd)
{
	return tun_set_iff(fd, "ours", IFF_TUN);
}

static int take_new_name(int fd)
{
	return tun_set_iff(fd, "ours", IFF_TAP | IFF_MULTI_QUEUE |
			   IFF_TUN_EXCL);
}

static int take_index(int fd)
{
	return tun_set_iff(fd, "ours%d", IFF_TAP);
}

TEST_F(regress, registration_race)
{
	int64_t start = now_ms();
	int n;

	for (n = 0; once_more(n, ROUNDS / 3, start); n++) {
		ASSERT_EQ(1, race(take_name, 0));
		ASSERT_EQ(1, race(take_new_name, 0));
		ASSERT_EQ(1, race(take_index, 4242));
		ASSERT_EQ(0, link_count_kind(tun_kind(), "ours"));
		ASSERT_EQ(0, link_count_kind(tun_kind(), "ours0"));
	}
}

/* Lets a packet socket have as many bytes of a packet as its user's number. */
static int attach_uid_filter(int sock)
{
	const struct bpf_insn code[] = {
		INSN_CALL(BPF_FUNC_get_socket_uid),
		INSN_EXIT,
	};
	int err = 0, prog = bpf_load(BPF_PROG_TYPE_SOCKET_FILTER, code,
				     ARRAY_SIZE(code));

	if (prog < 0)
		return prog;
	if (setsockopt(sock, SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof(prog)))
		err = -errno;
	close(prog);
	return err;
}

/* The bytes of a packet written on fd that such a socket gets. */
static int written_uid(int fd, bool tap)
{
	uint8_t packet[PACKET_LEN] = { 0 };
	int sock, ret, index = tun_index(fd);

	if (!tap)
		packet[0] = 0x45;
	sock = packet_socket(index, ETH_P_ALL);
	ret = attach_uid_filter(sock);
	if (!ret)
		ret = write_ret(fd, packet, sizeof(packet));
	if (ret > 0)
		ret = packet_recv(sock, packet, sizeof(packet), NULL);
	close(sock);
	return ret;
}

static int open_as(const char *node, uid_t uid)
{
	int fd, err;

	setfsuid(uid);
	fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	err = -errno;
	setfsuid(0);
	return fd < 0 ? err : fd;
}

/*
 * What is written belongs to the user who opened the file: not to the node's
 * owner, and not to who attached it. The first fix took another's (4194).
 */
static int opener_uid(int type)
{
	char node[32];
	int fd, err = ns_public_node(node, sizeof(node));

	if (err)
		return err;
	fd = open_as(node, OPENER);
	if (fd < 0)
		return fd;
	err = tun_set_iff(fd, "ours", type | IFF_NO_PI);
	if (!err)
		err = link_up(tun_index(fd), true);
	if (!err)
		err = written_uid(fd, type == IFF_TAP);
	close(fd);
	return err;
}

/*
 * rtun's packets belong to no socket, and so to nobody, whose number is more
 * than their length; not to root, either.
 */
static int written_belong_to(void)
{
	return tun_is_rtun() ? PACKET_LEN : OPENER;
}

TEST_F(regress, cve_2023_1076)
{
	EXPECT_EQ(written_belong_to(), opener_uid(IFF_TUN));
}

TEST_F(regress, cve_2023_4194)
{
	EXPECT_EQ(written_belong_to(), opener_uid(IFF_TAP));
}

/* A refused index is not the one that the device gets. */
TEST_F(regress, negative_ifindex)
{
	int good = 4242, negative = -4242, lowest = INT32_MIN;
	int fd = tun_open(O_NONBLOCK);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tun_ioctl_ptr(fd, TUNSETIFINDEX, &good));
	EXPECT_EQ(-EINVAL, tun_ioctl_ptr(fd, TUNSETIFINDEX, &negative));
	EXPECT_EQ(-EINVAL, tun_ioctl_ptr(fd, TUNSETIFINDEX, &lowest));
	EXPECT_EQ(0, tun_set_iff(fd, "ours", IFF_TUN));
	EXPECT_EQ(good, link_index("ours"));
	close(fd);
}

static int join_group(int sock, int index, int len)
{
	struct packet_mreq mreq = {
		.mr_ifindex = index,
		.mr_type = PACKET_MR_MULTICAST,
		.mr_alen = len,
	};
	struct {
		struct packet_mreq mreq;
		uint8_t more[24];
	} arg = { .mreq = mreq };

	return setsockopt(sock, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &arg,
			  sizeof(arg)) ? -errno : 0;
}

/* The stack reads as many bytes of an address as the link type now has. */
TEST_F(regress, tunsetlink_address_length)
{
	static const struct {
		int type, len;
	} types[] = {
		{ ARPHRD_TUNNEL6, 16 }, { ARPHRD_IPGRE, 4 },
		{ ARPHRD_ETHER, 6 }, { ARPHRD_TUNNEL6, 16 },
	};
	struct sockaddr_storage addr;
	struct sockaddr_ll *sll = (void *)&addr;
	int sock, index, i, fd = tun_create("ours", IFF_TUN);

	ASSERT_LE(0, fd);
	index = tun_index(fd);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		socklen_t size = sizeof(addr);
		int len = types[i].len;

		ASSERT_EQ(0, tun_ioctl(fd, TUNSETLINK, types[i].type));
		sock = packet_socket(index, 0);
		ASSERT_LE(0, sock);
		ASSERT_EQ(0, getsockname(sock, (void *)&addr, &size));
		EXPECT_EQ(len, sll->sll_halen);
		EXPECT_EQ(-EINVAL, join_group(sock, index, len - 1));
		EXPECT_EQ(-EINVAL, join_group(sock, index, len + 1));
		EXPECT_EQ(0, join_group(sock, index, len))
			TH_LOG("length %d", len);
		close(sock);
	}
	close(fd);
}

TEST_HARNESS_MAIN
