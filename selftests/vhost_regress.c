// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where batches of vhost-net's frames broke the in-tree driver before: a test for
 * each, by its CVE or by what it was. What they look for is a splat, a hang, or
 * pages that nobody frees.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include "rtnl.h"
#include "tun_test.h"
#include "vhost_dev.h"
#include "harness.h"

#define BATCH		64	/* frames that vhost hands over in one call */
#define LEAK_FRAMES	(300 * BATCH)
#define FAIL_FRAMES	4000
/* What a frame takes that is this short, and one that fills its page. */
#define SHORT_BYTES	768
#define LONG_LEN	3300
#define LONG_BYTES	4096

#define SELF		FIXTURE_DATA(batch)

static const uint8_t guest_mac[6] = { 2, 0, 0, 0, 0, 2 };

static void __attribute__((constructor)) require(void)
{
	vhost_require();
}

FIXTURE(batch)
{
	int fd, index, sock, worker;
	struct vhost vhost;
	uint8_t mac[6];
	uint8_t out[VQ_ROOM], in[VQ_ROOM];
};

/* vhost's thread is one of the process that owns it. */
static int find_worker(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int tid = -ESRCH;

	if (!dir)
		return -errno;
	while (tid < 0 && (entry = readdir(dir))) {
		char path[300], comm[32];

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 entry->d_name);
		if (read_file(path, comm, sizeof(comm)) > 0 &&
		    !strncmp(comm, "vhost-", 6))
			tid = atoi(entry->d_name);
	}
	closedir(dir);
	return tid;
}

FIXTURE_SETUP(batch)
{
	struct link_info info;
	int hdr;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, vhost_open(&self->vhost, VHOST_V1 | VHOST_MRG));
	self->worker = find_worker();
	ASSERT_LT(0, self->worker);
	self->fd = tun_create("ours", TAP_NOPI | IFF_VNET_HDR);
	ASSERT_LE(0, self->fd);
	hdr = self->vhost.hdr;
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETVNETHDRSZ, &hdr));
	self->index = tun_index(self->fd);
	ASSERT_EQ(0, link_get(self->index, &info));
	memcpy(self->mac, info.addr, sizeof(self->mac));
	ASSERT_EQ(0, link_up(self->index, true));
	self->sock = packet_socket(self->index, PROTO_TEST);
	ASSERT_LE(0, self->sock);
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, self->fd));
}

FIXTURE_TEARDOWN(batch)
{
	vhost_close(&self->vhost);
	close(self->sock);
	close(self->fd);
}

static int queue_frame(SELF *self, size_t len, unsigned int seed)
{
	uint8_t buf[VQ_ROOM];

	packet_fill(buf, sizeof(buf), seed);
	packet_eth(buf, self->mac, guest_mac, PROTO_TEST);
	return vhost_queue(&self->vhost, buf, len);
}

static bool came_out(SELF *self, size_t len, unsigned int seed)
{
	ssize_t got = packet_recv(self->sock, self->in, sizeof(self->in), NULL);

	packet_fill(self->out, sizeof(self->out), seed);
	packet_eth(self->out, self->mac, guest_mac, PROTO_TEST);
	return got == (ssize_t)len && !memcmp(self->in, self->out, len);
}

static bool nothing_came_out(SELF *self)
{
	return recv(self->sock, self->in, sizeof(self->in), 0) < 0;
}

/* Batches of frames of that length. */
static int send_batches(SELF *self, size_t len, int frames)
{
	int n, err = 0;

	for (n = 0; n < frames && !err; n++) {
		err = queue_frame(self, len, n);
		if (err || (n + 1) % BATCH)
			continue;
		err = vhost_kick(&self->vhost.tx);
		if (!err)
			err = vhost_flush(&self->vhost);
	}
	return err;
}

/* The sum of the lines of /proc/meminfo that say who has a page, in bytes. */
static int64_t known_memory(void)
{
	static const char * const users[] = {
		"MemFree", "Buffers", "Cached", "SwapCached", "AnonPages",
		"Slab", "KernelStack", "PageTables", "Percpu", "VmallocUsed",
	};
	static char buf[8192];
	int64_t sum = 0;
	int i;

	if (read_file("/proc/meminfo", buf, sizeof(buf)) < 0)
		return -1;
	for (i = 0; i < ARRAY_SIZE(users); i++) {
		char line[32], *p;

		snprintf(line, sizeof(line), "\n%s:", users[i]);
		p = strstr(buf, line);
		if (p)
			sum += atoll(p + strlen(line));
	}
	/* The first line has no newline before it, and is not one of these. */
	return sum * 1024;
}

/* Within the time that deferred frees may take, that much is there again. */
static bool memory_is_back(int64_t before, int64_t allowed)
{
	if (wait_until(before - known_memory() <= allowed))
		return true;
	printf("# %lld KiB are missing\n",
	       (long long)(before - known_memory()) / 1024);
	return false;
}

/* A frame without a whole Ethernet header was taken for one. */
TEST_F(batch, cve_2024_41091)
{
	struct link_info info;
	size_t len;

	for (len = 0; len < ETH_HLEN; len++) {
		ASSERT_EQ(0, queue_frame(self, len, 0));
		ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
		ASSERT_EQ(0, vhost_flush(&self->vhost));
	}
	ASSERT_EQ(0, queue_frame(self, ETH_HLEN, 1));
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	ASSERT_EQ(0, vhost_flush(&self->vhost));
	EXPECT_TRUE(came_out(self, ETH_HLEN, 1));
	EXPECT_TRUE(nothing_came_out(self));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(1, info.stats.rx_packets);
}

/* In the twin driver: what is refused must not take its batch with it. */
TEST_F(batch, cve_2026_46320)
{
	int n;

	for (n = 0; n < 3 * BATCH; n++)
		ASSERT_EQ(0, queue_frame(self, n % 3 ? n % ETH_HLEN : 100, n));
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	ASSERT_EQ(0, vhost_flush(&self->vhost));
	for (n = 0; n < 3 * BATCH; n += 3) {
		ASSERT_TRUE(came_out(self, 100, n))
			TH_LOG("frame %d", n);
	}
	EXPECT_TRUE(nothing_came_out(self));
}

/* The page of a short frame was not freed. */
TEST_F(batch, cve_2026_46321)
{
	int64_t before;

	ASSERT_EQ(0, send_batches(self, ETH_HLEN - 1, 4 * BATCH));
	before = known_memory();
	ASSERT_LT(0, before);
	ASSERT_EQ(0, send_batches(self, ETH_HLEN - 1, LEAK_FRAMES));
	EXPECT_TRUE(memory_is_back(before, LEAK_FRAMES * SHORT_BYTES / 2));
}

/* Makes the nth allocation of vhost's thread fail, or none more. */
static int fail_allocation(SELF *self, int nth)
{
	char path[64], value[16];

	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth",
		 self->worker);
	snprintf(value, sizeof(value), "%d", nth);
	return write_file(path, value);
}

/*
 * Frames for each of which the first allocation fails, if it needs one: how many
 * were lost by that. A CPU keeps some sk_buffs, for which none is needed.
 */
static int lose_frames(SELF *self, int frames)
{
	int n, err = 0, came = 0;

	for (n = 0; n < frames && !err; n++) {
		err = fail_allocation(self, 1);
		if (!err)
			err = queue_frame(self, LONG_LEN, n);
		if (!err)
			err = vhost_kick(&self->vhost.tx);
		if (!err)
			err = vhost_flush(&self->vhost);
		if (!err)
			err = fail_allocation(self, 0);
		while (!err && !nothing_came_out(self))
			came++;
	}
	return err ? err : frames - came;
}

/* No sk_buff for a frame, and its page was not freed. */
TEST_F_TIMEOUT(batch, cve_2026_46322, 240)
{
	int64_t before;
	int lost;

	if (fail_allocation(self, 0) == -ENOENT)
		SKIP(return, "the kernel has no fault injection");
	before = known_memory();
	lost = lose_frames(self, FAIL_FRAMES);
	printf("# %d of %d frames lost\n", lost, FAIL_FRAMES);
	EXPECT_LT(FAIL_FRAMES / 2, lost);
	EXPECT_TRUE(memory_is_back(before, (int64_t)lost * LONG_BYTES / 2));
	/* It was the memory: the next one comes. */
	ASSERT_EQ(0, queue_frame(self, LONG_LEN, 1));
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	ASSERT_EQ(0, vhost_flush(&self->vhost));
	EXPECT_TRUE(came_out(self, LONG_LEN, 1));
}

/* Redirects each frame to the device of that index. */
static int redirect_to(SELF *self, int index)
{
	struct bpf_insn code[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, index },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 0 },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};

	return xdp_attach(self->index, code, ARRAY_SIZE(code));
}

/* A redirection that fails: the frame's page was freed twice, or not at all. */
TEST_F_TIMEOUT(batch, xdp_error_put_page, 240)
{
	struct link_info info;
	int64_t before;
	int link;

	/* No such device. */
	link = redirect_to(self, 0x7ffffff0);
	ASSERT_LE(0, link);
	ASSERT_EQ(0, send_batches(self, LONG_LEN, 4 * BATCH));
	before = known_memory();
	ASSERT_LT(0, before);
	ASSERT_EQ(0, send_batches(self, LONG_LEN, LEAK_FRAMES));
	EXPECT_TRUE(nothing_came_out(self));
	EXPECT_TRUE(memory_is_back(before, LEAK_FRAMES * LONG_BYTES / 2));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(LEAK_FRAMES + 4 * BATCH, info.stats.rx_dropped);
	EXPECT_EQ(0, info.stats.rx_packets);
	close(link);

	ASSERT_EQ(0, queue_frame(self, 100, 1));
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	ASSERT_EQ(0, vhost_flush(&self->vhost));
	EXPECT_TRUE(came_out(self, 100, 1));
}

TEST_HARNESS_MAIN
