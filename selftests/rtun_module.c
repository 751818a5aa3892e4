// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading: refused while anything uses the module, and complete
 * as soon as nothing does. RTUN_KO names the module's file.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmod.h"
#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

FIXTURE(module)
{
	int fd;
};

/* Each test begins with a module that nothing uses. */
FIXTURE_SETUP(module)
{
	int err = kmod_loaded() ? kmod_unload_when_idle() : 0;

	ASSERT_EQ(0, err);
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, kmod_load());
	self->fd = tun_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

/* The other tests want it loaded. */
FIXTURE_TEARDOWN(module)
{
	close(self->fd);
	if (!kmod_loaded())
		EXPECT_EQ(0, kmod_load());
}

TEST_F(module, open_file)
{
	EXPECT_EQ(-EAGAIN, kmod_unload());
	EXPECT_TRUE(kmod_loaded());
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, kmod_unload());
	EXPECT_FALSE(kmod_loaded());
}

TEST_F(module, device)
{
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TAP | IFF_MULTI_QUEUE));
	ASSERT_EQ(0, link_up(tun_index(self->fd), true));
	EXPECT_EQ(-EAGAIN, kmod_unload());
	ASSERT_EQ(0, tun_queue(self->fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(-EAGAIN, kmod_unload());
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, kmod_unload());
}

/* A file whose device is gone is a user still. */
TEST_F(module, dead_file)
{
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN));
	ASSERT_EQ(0, link_delete(tun_index(self->fd)));
	EXPECT_EQ(-EAGAIN, kmod_unload());
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, kmod_unload());
}

TEST_F(module, persistent_device)
{
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(-EAGAIN, kmod_unload());
	EXPECT_LT(0, link_index("ours"));
	ASSERT_EQ(0, link_delete(link_index("ours")));
	EXPECT_EQ(0, kmod_unload());
}

TEST_F(module, persistence_ended)
{
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, kmod_unload());
}

/* A persistent device goes with its namespace, and lets the module go. */
TEST_F(module, persistent_in_dead_namespace)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		int fd;

		if (ns_new())
			_exit(1);
		fd = tun_create("ours", IFF_TAP);
		_exit(fd < 0 || tun_ioctl(fd, TUNSETPERSIST, 1) ? 2 : 0);
	}
	ASSERT_EQ(0, wait_exit(pid));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, kmod_unload_when_idle());
}

TEST_F(module, unloaded)
{
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, kmod_unload());
	EXPECT_EQ(-ENOENT, tun_open(0));
	EXPECT_EQ(-EOPNOTSUPP, link_create(KMOD_NAME, "ours"));
	ASSERT_EQ(0, kmod_load());
	self->fd = tun_open(0);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN));
}

/* With packets waiting, and again at once. */
TEST_F(module, cycles)
{
	uint8_t packet[64] = { 0x45 };
	int n, sock, index;

	for (n = 0; n < 5; n++) {
		ASSERT_EQ(0, tun_set_iff(self->fd, "ours", TUN_NOPI));
		index = tun_index(self->fd);
		ASSERT_EQ(0, link_up(index, true));
		sock = packet_socket(index, 0);
		ASSERT_LE(0, sock);
		ASSERT_EQ(64, packet_send(sock, index, 0x0800, packet, 64));
		close(self->fd);
		close(sock);
		ASSERT_EQ(0, kmod_unload());
		ASSERT_EQ(0, kmod_load());
		self->fd = tun_open(O_NONBLOCK);
		ASSERT_LE(0, self->fd);
	}
}

TEST_F(module, max_queues)
{
	static const char * const bad[] = { "0", "257", "4294967295", "-1", "x" };
	int i, fd[4], flags = IFF_TAP | IFF_MULTI_QUEUE;
	struct link_info info;
	char params[40];

	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, kmod_unload());
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(params, sizeof(params), "max_queues=%s", bad[i]);
		EXPECT_EQ(-EINVAL, kmod_load_with(params))
			TH_LOG("%s", params);
	}
	ASSERT_EQ(0, kmod_load_with("max_queues=3"));
	ASSERT_EQ(0, tun_attach_all("ours", flags, fd, 3));
	ASSERT_EQ(0, link_get(link_index("ours"), &info));
	EXPECT_EQ(3, info.num_tx_queues);
	EXPECT_EQ(-E2BIG, tun_create("ours", flags));
	close(fd[1]);
	fd[1] = tun_create("ours", flags);
	EXPECT_LE(0, fd[1]);
	tun_close_all(fd, 3);
	fd[3] = tun_create("one", IFF_TAP);
	EXPECT_LE(0, fd[3]);
	close(fd[3]);
	EXPECT_EQ(0, kmod_unload());
}

/* The room of a new device's queues. */
static int64_t new_length(int flags)
{
	struct link_info info;
	int fd = tun_create("new", flags), err;

	if (fd < 0)
		return fd;
	err = link_get(link_index("new"), &info);
	close(fd);
	return err ? err : info.txqlen;
}

TEST_F(module, tx_queue_len)
{
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, kmod_unload());
	ASSERT_EQ(0, kmod_load_with("tx_queue_len=77"));
	EXPECT_EQ(77, new_length(IFF_TUN));
	EXPECT_EQ(77, new_length(IFF_TAP));
	EXPECT_EQ(0, kmod_unload());
	ASSERT_EQ(0, kmod_load_with("tx_queue_len=0"));
	EXPECT_EQ(500, new_length(IFF_TUN));
	EXPECT_EQ(1000, new_length(IFF_TAP));
	EXPECT_EQ(0, kmod_unload());
}

struct image {
	const char *at;
	size_t size;
};

/* What follows next in a string of the module's file that starts so, or NULL. */
static const char *modinfo_next(const struct image *image, const char *after,
				const char *start)
{
	size_t len = strlen(start), i = after ? after - image->at : 0;

	for (; i + len < image->size; i++) {
		if ((!i || !image->at[i - 1]) &&
		    !memcmp(image->at + i, start, len) && image->at[i + len])
			return image->at + i + len;
	}
	return NULL;
}

static bool modinfo_has(const struct image *image, const char *start)
{
	return modinfo_next(image, NULL, start);
}

TEST_F(module, modinfo)
{
	int file = open(getenv("RTUN_KO"), O_RDONLY | O_CLOEXEC);
	struct image image;
	const char *param;
	char key[300];
	int params = 0;
	struct stat st;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, fstat(file, &st));
	image.size = st.st_size;
	image.at = mmap(NULL, image.size, PROT_READ, MAP_PRIVATE, file, 0);
	ASSERT_NE(MAP_FAILED, image.at);
	EXPECT_TRUE(modinfo_has(&image, "license="));
	EXPECT_TRUE(modinfo_has(&image, "description="));
	EXPECT_TRUE(modinfo_has(&image, "author="));
	/* Each parameter that has a type is described. */
	for (param = modinfo_next(&image, NULL, "parmtype="); param;
	     param = modinfo_next(&image, param, "parmtype=")) {
		snprintf(key, sizeof(key), "parm=%.*s:",
			 (int)strcspn(param, ":"), param);
		EXPECT_TRUE(modinfo_has(&image, key)) TH_LOG("%s", key);
		params++;
	}
	EXPECT_LT(0, params);
	close(file);
}

TEST_HARNESS_MAIN
