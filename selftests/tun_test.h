/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every test program shares: the node under test, the ioctls, the
 * namespace a test runs in, packets, and bounded waits on conditions.
 *
 * Functions return a value >= 0, or a negative errno.
 */
#ifndef TUN_TEST_H
#define TUN_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <linux/if.h>
#include <linux/if_tun.h>

#define WAIT_MS		10000
#define MAX_QUEUES	256	/* unless RTUN_PARAMS says less: tun_max_queues() */
#define TUN_NOPI	(IFF_TUN | IFF_NO_PI)
#define TAP_NOPI	(IFF_TAP | IFF_NO_PI)

#ifndef IFF_BACKPRESSURE /* since 7.3 */
#define IFF_BACKPRESSURE	0x0080
#endif

/* An ifreq of a 32-bit process is 8 bytes shorter. */
#define COMPAT_IFREQ	32

/* An EtherType for local experiments: the stack has no handler for it. */
#define PROTO_TEST	0x88b5

/*
 * A defect of the in-tree driver, by its number: expected to fail there, and
 * a plain expectation on rtun. A failure elsewhere in the test stays one.
 */
#define EXPECT_UNLESS_DEFECT(number, cond) do { \
	if (tun_is_rtun()) { \
		EXPECT_TRUE(cond); \
	} else if (_metadata->exit_code == KSFT_PASS) { \
		bool held = (cond); \
		_metadata->exit_code = held ? KSFT_XPASS : KSFT_XFAIL; \
		snprintf(_metadata->results->reason, \
			 sizeof(_metadata->results->reason), \
			 "known defect %s of the in-tree driver", number); \
	} \
} while (0)

/* The node under test. */
const char *tun_node(void);
const char *tun_kind(void);
bool tun_is_rtun(void);
int tun_max_queues(void);
int tun_module_refs(void);

/* Files and ioctls. */
int tun_open(int flags);
int tun_ioctl(int fd, unsigned long cmd, unsigned long arg);
int tun_ioctl_ptr(int fd, unsigned long cmd, const void *arg);
int tun_ioctl_compat(int fd, unsigned int cmd, unsigned int arg);
int tun_set_iff(int fd, const char *name, int flags);
int tun_create(const char *name, int flags);
int tun_get_flags(int fd);
bool tun_has_feature(unsigned int flags);
int tun_name(int fd, char name[IFNAMSIZ]);
int tun_index(int fd);
int tun_queue(int fd, int flags);
int tun_attach_all(const char *name, int flags, int *fds, int n);
void tun_close_all(int *fds, int n);

/* Where the kernel's debugfs is, if it has one. */
#define DEBUGFS		"/sys/kernel/debug"

/* The caller's network namespace, and one that is new and not entered. */
int ns_this(void);
int ns_beside(void);
/* Network namespaces, each with a sysfs of its own and no IPv6 chatter. */
int ns_new(void);
int ns_enter(void);
int ns_public_node(char *path, size_t size);
int write_file(const char *path, const char *text);
int read_file(const char *path, char *buf, size_t size);
int rcu_barrier(void);
int sockets_used(void);
long memory_kb(void);
int netdev_set_attr(const char *dev, const char *attr, const char *value);
int netdev_attr(const char *dev, const char *attr, char *buf, size_t size);
int netdev_queues(const char *dev, const char *kind);

/* Waits. */
int wait_events(int fd, int events, int timeout_ms);
int wait_blocked(pid_t tid, long syscall_nr);
int wait_blocked_hard(pid_t tid, long syscall_nr);
int wait_exit(pid_t pid);
int64_t now_ms(void);
int64_t now_ns(void);
void pause_ms(int ms);

/* For what nothing announces: whether it came to be, within WAIT_MS. */
#define wait_until(condition) ({ \
	int64_t end_ = now_ms() + WAIT_MS; \
	bool met_; \
\
	while (!(met_ = (condition)) && now_ms() < end_) \
		pause_ms(1); \
	met_; \
})

/*
 * Signal nr of a descriptor. It is to be blocked before; signal_band() waits for
 * it and says what it tells of the descriptor: 0 if none comes.
 */
int signal_block(int nr);
int set_async(int fd, int nr, bool on);
long signal_band(int fd, int nr, int timeout_ms);

/* System calls as value or negative errno. */
ssize_t read_ret(int fd, void *buf, size_t len);
ssize_t write_ret(int fd, const void *buf, size_t len);

/* Packets. */
struct flow {
	uint32_t saddr, daddr;	/* host order */
	uint16_t sport, dport;
};

struct flow flow_nth(unsigned int n);
struct flow flow_reverse(struct flow f);
size_t packet_udp4(void *buf, struct flow f, const void *data, size_t len);
size_t packet_tcp4(void *buf, struct flow f, uint32_t seq, const void *data,
		   size_t len);
bool packet_is(const void *packet, size_t len, struct flow f);
uint32_t packet_sum(uint32_t sum, const void *data, size_t len);
uint16_t packet_checksum(uint32_t sum);
size_t packet_fill(void *buf, size_t len, unsigned int seed);
void packet_eth(void *buf, const uint8_t dst[6], const uint8_t src[6],
		uint16_t proto);

/* Packet sockets. */
int packet_socket(int ifindex, int proto);
int packet_send(int sock, int ifindex, int proto, const void *buf, size_t len);
ssize_t packet_recv(int sock, void *buf, size_t len, int *proto);

#endif /* TUN_TEST_H */
