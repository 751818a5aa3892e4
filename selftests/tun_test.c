// SPDX-License-Identifier: GPL-2.0-only
/* Shared by the test programs: see tun_test.h. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "tun_test.h"
#include "rtnl.h"

const char *tun_node(void)
{
	const char *node = getenv("TUN_DEV");

	return node && *node ? node : "/dev/net/rtun";
}

/* Under its own name, or under the in-tree driver's: a module of the kernel has no taint. */
bool tun_is_rtun(void)
{
	static int known = -1;
	char taint[16];

	if (known < 0)
		known = !strcmp(tun_kind(), "rtun") ||
			(read_file("/sys/module/tun/taint", taint,
				   sizeof(taint)) > 0 && strchr(taint, 'O'));
	return known;
}

/* How many queues a multi-queue device can have. */
int tun_max_queues(void)
{
	const char *params = getenv("RTUN_PARAMS");
	const char *max = params ? strstr(params, "max_queues=") : NULL;

	return tun_is_rtun() && max ? atoi(strchr(max, '=') + 1) : MAX_QUEUES;
}

const char *tun_kind(void)
{
	const char *kind = getenv("TUN_KIND");
	const char *base = strrchr(tun_node(), '/');

	if (kind && *kind)
		return kind;
	return base && !strcmp(base, "/rtun") ? "rtun" : "tun";
}

/* How often the module is used, or a negative errno. */
int tun_module_refs(void)
{
	char path[64], text[32];
	int err;

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", tun_kind());
	err = read_file(path, text, sizeof(text));
	return err < 0 ? err : atoi(text);
}

static int ret_errno(int ret)
{
	return ret < 0 ? -errno : ret;
}

int tun_open(int flags)
{
	return ret_errno(open(tun_node(), O_RDWR | O_CLOEXEC | flags));
}

int tun_ioctl(int fd, unsigned long cmd, unsigned long arg)
{
	return ret_errno(ioctl(fd, cmd, arg));
}

int tun_ioctl_ptr(int fd, unsigned long cmd, const void *arg)
{
	return ret_errno(ioctl(fd, cmd, arg));
}

static void ifreq_init(struct ifreq *ifr, const char *name, int flags)
{
	memset(ifr, 0, sizeof(*ifr));
	if (name)
		memcpy(ifr->ifr_name, name, strnlen(name, IFNAMSIZ));
	ifr->ifr_flags = flags;
}

/* A 32-bit process's ioctl, made from a 64-bit one where there is such. */
int tun_ioctl_compat(int fd, unsigned int cmd, unsigned int arg)
{
#ifdef __x86_64__
	int ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (54), "b" (fd), "c" (cmd), "d" (arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
#else
	return tun_ioctl(fd, cmd, arg);
#endif
}

int tun_set_iff(int fd, const char *name, int flags)
{
	struct ifreq ifr;

	ifreq_init(&ifr, name, flags);
	return tun_ioctl_ptr(fd, TUNSETIFF, &ifr);
}

/* Opens the node and attaches: the descriptor, or the error. */
int tun_create(const char *name, int flags)
{
	int fd = tun_open(O_NONBLOCK);
	int err;

	if (fd < 0)
		return fd;
	err = tun_set_iff(fd, name, flags);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int tun_get_flags(int fd)
{
	struct ifreq ifr;
	int err;

	ifreq_init(&ifr, NULL, 0);
	err = tun_ioctl_ptr(fd, TUNGETIFF, &ifr);
	return err ? err : (unsigned short)ifr.ifr_flags;
}

/* Whether the node's driver says that it has all of these (TUNGETFEATURES). */
bool tun_has_feature(unsigned int flags)
{
	unsigned int features = 0;
	int fd = tun_open(0);
	int err = tun_ioctl_ptr(fd, TUNGETFEATURES, &features);

	close(fd);
	return !err && (features & flags) == flags;
}

int tun_name(int fd, char name[IFNAMSIZ])
{
	struct ifreq ifr;
	int err;

	ifreq_init(&ifr, NULL, 0);
	err = tun_ioctl_ptr(fd, TUNGETIFF, &ifr);
	if (!err)
		memcpy(name, ifr.ifr_name, IFNAMSIZ);
	return err;
}

int tun_index(int fd)
{
	char name[IFNAMSIZ];
	int err = tun_name(fd, name);

	return err ? err : link_index(name);
}

int tun_queue(int fd, int flags)
{
	struct ifreq ifr;

	ifreq_init(&ifr, NULL, flags);
	return tun_ioctl_ptr(fd, TUNSETQUEUE, &ifr);
}

int tun_attach_all(const char *name, int flags, int *fds, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		fds[i] = tun_create(name, flags);
		if (fds[i] < 0)
			return fds[i];
	}
	return 0;
}

void tun_close_all(int *fds, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read_ret(fd, buf, size - 1);
	close(fd);
	if (len < 0)
		return len;
	buf[len] = '\0';
	return len;
}

/* Waits until all is freed that waits for a grace period. */
int rcu_barrier(void)
{
	return write_file("/sys/module/rcutree/parameters/do_rcu_barrier", "1");
}

/*
 * The namespace's sockets: a queue is one, with a file or without. A netlink
 * socket is counted until a grace period after it was closed.
 */
int sockets_used(void)
{
	char text[512];
	int used, err = read_file("/proc/thread-self/net/sockstat", text,
				  sizeof(text));

	if (err < 0)
		return err;
	return sscanf(text, "sockets: used %d", &used) == 1 ? used : -EPROTO;
}

int netdev_attr(const char *dev, const char *attr, char *buf, size_t size)
{
	char path[128];
	int len;

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", dev, attr);
	len = read_file(path, buf, size);
	if (len > 0 && buf[len - 1] == '\n')
		buf[--len] = '\0';
	return len;
}

/* The queues that the stack shows, of a kind: "tx-" or "rx-". */
int netdev_queues(const char *dev, const char *kind)
{
	struct dirent *entry;
	char path[64];
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", dev);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		n += !strncmp(entry->d_name, kind, strlen(kind));
	closedir(dir);
	return n;
}

/* What memory is left, for those who look for a leak; 0 is an error. */
long memory_kb(void)
{
	char buf[4096], *at;

	if (read_file("/proc/meminfo", buf, sizeof(buf)) < 0)
		return 0;
	at = strstr(buf, "MemAvailable:");
	return at ? atol(at + strlen("MemAvailable:")) : 0;
}

int netdev_set_attr(const char *dev, const char *attr, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", dev, attr);
	return write_file(path, value);
}

int ns_this(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int ns_beside(void)
{
	int ours = ns_this(), fd;

	if (ours < 0)
		return ours;
	fd = unshare(CLONE_NEWNET) ? -errno : ns_this();
	if (fd >= 0 && setns(ours, CLONE_NEWNET)) {
		close(fd);
		fd = -errno;
	}
	close(ours);
	return fd;
}

int ns_new(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		return -errno;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	if (mount("sysfs", "/sys", "sysfs", 0, NULL))
		return -errno;
	/* The one that was there is hidden by now. */
	if (!access(DEBUGFS, F_OK) &&
	    mount("debugfs", DEBUGFS, "debugfs", 0, NULL))
		return -errno;
	/* Router solicitations and MLD would be read as packets. */
	if (!access("/proc/sys/net/ipv6", F_OK)) {
		int err;

		err = write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6",
				 "1");
		if (err)
			return err;
	}
	return 0;
}

static int program_ns;

/*
 * One namespace for the whole program: to make one takes longer than most
 * tests. Before main(), so that every test's process is born in it.
 */
static void __attribute__((constructor)) program_ns_enter(void)
{
	program_ns = ns_new();
}

/* The program's namespace, without what a failed test may have left in it. */
int ns_enter(void)
{
	return program_ns ? program_ns : link_delete_kind(tun_kind());
}

/* A copy of the node that any user may open, seen by this process only. */
int ns_public_node(char *path, size_t size)
{
	struct stat st;

	if (stat(tun_node(), &st) || unshare(CLONE_NEWNS))
		return -errno;
	if (mount("tmpfs", "/mnt", "tmpfs", 0, "mode=0755"))
		return -errno;
	snprintf(path, size, "/mnt/node");
	if (mknod(path, S_IFCHR, st.st_rdev) || chmod(path, 0666))
		return -errno;
	return 0;
}

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

int64_t now_ms(void)
{
	return now_ns() / 1000000;
}

void pause_ms(int ms)
{
	const struct timespec pause = {
		.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L,
	};

	nanosleep(&pause, NULL);
}

/* What poll() reports for fd: 0 when the time is up. */
int wait_events(int fd, int events, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int ret = poll(&pfd, 1, timeout_ms);

	return ret < 0 ? -errno : pfd.revents;
}

static bool is_blocked(pid_t tid, long nr, char state)
{
	char path[64], buf[256], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	if (read_file(path, buf, sizeof(buf)) < 0)
		return false;
	end = strrchr(buf, ')');
	if (!end || strncmp(end, ") ", 2) || end[2] != state)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	if (read_file(path, buf, sizeof(buf)) < 0)
		return false;
	return strtol(buf, &end, 0) == nr && *end == ' ';
}

static int wait_state(pid_t tid, long syscall_nr, char state)
{
	return wait_until(is_blocked(tid, syscall_nr, state)) ? 0 : -ETIMEDOUT;
}

/* Returns when the task sleeps in the system call. Nothing announces that. */
int wait_blocked(pid_t tid, long syscall_nr)
{
	return wait_state(tid, syscall_nr, 'S');
}

/* The same for a sleep that no signal ends. */
int wait_blocked_hard(pid_t tid, long syscall_nr)
{
	return wait_state(tid, syscall_nr, 'D');
}

/* The exit status of a child, or a negative number if it was killed. */
int wait_exit(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

int signal_block(int nr)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, nr);
	return sigprocmask(SIG_BLOCK, &set, NULL) ? -errno : 0;
}

int set_async(int fd, int nr, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETOWN, getpid()) ||
	    fcntl(fd, F_SETSIG, nr) ||
	    fcntl(fd, F_SETFL, on ? flags | O_ASYNC : flags & ~O_ASYNC))
		return -errno;
	return 0;
}

long signal_band(int fd, int nr, int timeout_ms)
{
	const struct timespec wait = { .tv_sec = timeout_ms / 1000 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, nr);
	if (sigtimedwait(&set, &info, &wait) < 0)
		return errno == EAGAIN ? 0 : -errno;
	return info.si_fd == fd ? info.si_band : -EBADF;
}

ssize_t read_ret(int fd, void *buf, size_t len)
{
	ssize_t ret = read(fd, buf, len);

	return ret < 0 ? -errno : ret;
}

ssize_t write_ret(int fd, const void *buf, size_t len)
{
	ssize_t ret = write(fd, buf, len);

	return ret < 0 ? -errno : ret;
}

/* Adds the bytes to an Internet checksum that is not folded yet. */
uint32_t packet_sum(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	if (len & 1)
		sum += p[len - 1] << 8;
	return sum;
}

/* The checksum as it is in a packet. */
uint16_t packet_checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum & 0xffff);
}

struct flow flow_nth(unsigned int n)
{
	struct flow f = {
		.saddr = 0x0a000002, .daddr = 0x0a000001,
		.sport = 1024 + n, .dport = 9,
	};

	return f;
}

struct flow flow_reverse(struct flow f)
{
	struct flow r = {
		.saddr = f.daddr, .daddr = f.saddr,
		.sport = f.dport, .dport = f.sport,
	};

	return r;
}

/* An IPv4 UDP packet with both checksums; returns its length. */
size_t packet_udp4(void *buf, struct flow f, const void *data, size_t len)
{
	struct iphdr ip = {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
		.tot_len = htons(sizeof(ip) + sizeof(struct udphdr) + len),
		.saddr = htonl(f.saddr), .daddr = htonl(f.daddr),
	};
	struct udphdr udp = {
		.source = htons(f.sport), .dest = htons(f.dport),
		.len = htons(sizeof(udp) + len),
	};
	uint32_t sum = IPPROTO_UDP + sizeof(udp) + len;
	uint8_t *p = buf;

	ip.check = packet_checksum(packet_sum(0, &ip, sizeof(ip)));
	sum = packet_sum(sum, &ip.saddr, 8);
	sum = packet_sum(sum, &udp, sizeof(udp));
	udp.check = packet_checksum(packet_sum(sum, data, len));
	memcpy(p, &ip, sizeof(ip));
	memcpy(p + sizeof(ip), &udp, sizeof(udp));
	memcpy(p + sizeof(ip) + sizeof(udp), data, len);
	return sizeof(ip) + sizeof(udp) + len;
}

/* A TCP segment of an established connection, with both checksums. */
size_t packet_tcp4(void *buf, struct flow f, uint32_t seq, const void *data,
		   size_t len)
{
	struct iphdr ip = {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP,
		.tot_len = htons(sizeof(ip) + sizeof(struct tcphdr) + len),
		.saddr = htonl(f.saddr), .daddr = htonl(f.daddr),
		.frag_off = htons(0x4000),
	};
	struct tcphdr tcp = {
		.source = htons(f.sport), .dest = htons(f.dport),
		.seq = htonl(seq), .ack = 1, .window = htons(8192),
		.doff = sizeof(tcp) / 4,
	};
	uint32_t sum = IPPROTO_TCP + sizeof(tcp) + len;
	uint8_t *p = buf;

	ip.check = packet_checksum(packet_sum(0, &ip, sizeof(ip)));
	sum = packet_sum(sum, &ip.saddr, 8);
	sum = packet_sum(sum, &tcp, sizeof(tcp));
	tcp.check = packet_checksum(packet_sum(sum, data, len));
	memcpy(p, &ip, sizeof(ip));
	memcpy(p + sizeof(ip), &tcp, sizeof(tcp));
	memcpy(p + sizeof(ip) + sizeof(tcp), data, len);
	return sizeof(ip) + sizeof(tcp) + len;
}

bool packet_is(const void *packet, size_t len, struct flow f)
{
	struct iphdr ip;
	struct udphdr udp;

	if (len < sizeof(ip) + sizeof(udp))
		return false;
	memcpy(&ip, packet, sizeof(ip));
	memcpy(&udp, (const uint8_t *)packet + sizeof(ip), sizeof(udp));
	return ip.version == 4 && ip.protocol == IPPROTO_UDP &&
	       ip.saddr == htonl(f.saddr) && ip.daddr == htonl(f.daddr) &&
	       udp.source == htons(f.sport) && udp.dest == htons(f.dport);
}

/* Fills with bytes that differ from place to place and from seed to seed. */
size_t packet_fill(void *buf, size_t len, unsigned int seed)
{
	uint32_t x = seed * 2654435761u + 1;
	uint8_t *p = buf;
	size_t i;

	for (i = 0; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		p[i] = x >> 24;
	}
	return len;
}

void packet_eth(void *buf, const uint8_t dst[6], const uint8_t src[6],
		uint16_t proto)
{
	struct ethhdr eth = { .h_proto = htons(proto) };

	memcpy(eth.h_dest, dst, ETH_ALEN);
	memcpy(eth.h_source, src, ETH_ALEN);
	memcpy(buf, &eth, sizeof(eth));
}

int packet_socket(int ifindex, int proto)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(proto),
		.sll_ifindex = ifindex,
	};
	int sock, one = 1, size = 4 << 20;

	sock = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	if (setsockopt(sock, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
		       sizeof(one)) ||
	    setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ||
	    bind(sock, (struct sockaddr *)&addr, sizeof(addr))) {
		int err = -errno;

		close(sock);
		return err;
	}
	return sock;
}

int packet_send(int sock, int ifindex, int proto, const void *buf, size_t len)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(proto),
		.sll_ifindex = ifindex,
	};
	ssize_t ret;

	ret = sendto(sock, buf, len, 0, (struct sockaddr *)&addr, sizeof(addr));
	return ret < 0 ? -errno : ret;
}

ssize_t packet_recv(int sock, void *buf, size_t len, int *proto)
{
	struct sockaddr_ll addr;
	socklen_t alen = sizeof(addr);
	ssize_t ret;
	int events = wait_events(sock, POLLIN, WAIT_MS);

	if (events <= 0)
		return events < 0 ? events : -ETIMEDOUT;
	ret = recvfrom(sock, buf, len, MSG_TRUNC, (struct sockaddr *)&addr,
		       &alen);
	if (ret < 0)
		return -errno;
	if (proto)
		*proto = ntohs(addr.sll_protocol);
	return ret;
}
