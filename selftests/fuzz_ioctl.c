// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls, and what each may be given: see fuzz.h. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <linux/sockios.h>

#include "fuzz.h"
#include "tun_test.h"

#define OFFLOADS	(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | \
			 TUN_F_TSO_ECN | TUN_F_UFO | TUN_F_USO4 | TUN_F_USO6 | \
			 TUN_F_UDP_TUNNEL_GSO | TUN_F_UDP_TUNNEL_GSO_CSUM)
/* All that TUNGETIFF may say of a device. */
#define DEVICE_FLAGS	(TUN_TYPE_MASK | IFF_NAPI | IFF_NAPI_FRAGS | \
			 IFF_NO_CARRIER | IFF_BACKPRESSURE | IFF_MULTI_QUEUE | \
			 IFF_DETACH_QUEUE | IFF_PERSIST | IFF_NO_PI | \
			 IFF_ONE_QUEUE | IFF_VNET_HDR)

static size_t fill_txfilter(struct fuzz_thread *t, void *object);

static size_t fill(struct fuzz_thread *t, const struct fuzz_row *row,
		   void *object, bool compat)
{
	size_t size;

	t->expect = EXPECT_NO_FAULT;
	size = row->fill(t, object);
	/* A filter of six addresses is as long. */
	if (size == sizeof(struct ifreq) && row->fill != fill_txfilter && compat)
		return COMPAT_IFREQ;
	return size;
}

/* Puts an object where it can be used, in part, not at all, or not changed. */
static void *place(struct fuzz_thread *t, const struct fuzz_row *row,
		   bool compat)
{
	uint64_t object[64] = { 0 };
	size_t used = fill(t, row, object, compat);
	unsigned int how = fuzz_pick(t, 16);
	uint8_t *at = t->end - used;

	if (t->expect == EXPECT_OPEN)
		how += 3;
	if (how < 2)
		t->expect = EXPECT_ERROR;
	if (how == 0)
		return fuzz_bad_pointer(t);
	if (how == 1) {
		at += 1 + fuzz_pick(t, used);
		memcpy(at, object, t->end - at);
		return at;
	}
	if (how == 2 && (row->flags & ROW_ANSWERS)) {
		t->expect = EXPECT_ERROR;
		return t->constant;
	}
	if (how < 6)
		at = t->room + fuzz_pick(t, 4096);
	memcpy(at, object, used);
	return at;
}

static void note_ioctl(struct fuzz_thread *t, const struct fuzz_row *row,
		       int fd, unsigned long arg, bool compat)
{
	const char *how = compat ? "32-bit " : "";
	struct ifreq ifr = { 0 };
	uint8_t *at = (uint8_t *)arg;

	if (!row->fill || at < t->room || at >= t->end) {
		fuzz_note(t, "%sfd %d %#lx", how, fd, arg);
		return;
	}
	memcpy(&ifr, at, t->end - at < sizeof(ifr) ? t->end - at : sizeof(ifr));
	fuzz_note(t, "%sfd %d %#lx {%#x} '%.15s' %#x", how, fd, arg,
		  *(int *)&ifr, ifr.ifr_name, ifr.ifr_flags & 0xffff);
}

static long run_ioctl(struct fuzz_thread *t, const struct fuzz_row *row)
{
	bool compat = fuzz_one_in(t, 8);
	unsigned long cmd = row->cmd;
	/* The others are the socket layer's, on a socket. */
	int fd = _IOC_TYPE(cmd) == 'T' ? fuzz_ioctl_fd(t) : fuzz_fd(t);
	unsigned long arg;
	long ret;

	if (row->fill)
		arg = (unsigned long)place(t, row, compat);
	else
		arg = row->value(t);
	note_ioctl(t, row, fd, arg, compat);
	ret = compat ? tun_ioctl_compat(fd, cmd, arg) : tun_ioctl(fd, cmd, arg);
	if (ret >= 0 && row->check && t->expect != EXPECT_ERROR &&
	    !row->check(t, (void *)arg))
		fuzz_fail(t, 210, "%s: its answer is wrong", row->name);
	if (ret >= 0 && (row->flags & ROW_FILE))
		close(ret);
	return ret;
}

/* What is no command of the driver; none of them is the VFS's either. */
static long run_unknown(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const unsigned int known[] = {
		TUNSETIFF, TUNGETIFF, TUNSETQUEUE, TUNSETOWNER, TUNSETCARRIER,
	};
	unsigned int cmd = known[fuzz_pick(t, 5)];
	unsigned int dir = fuzz_pick(t, 4), size = 8 << fuzz_pick(t, 4);
	int fd = fuzz_fd(t);
	unsigned long arg;

	switch (fuzz_pick(t, 4)) {
	case 0:
		cmd = _IOC(dir, 'T', 228 + fuzz_pick(t, 28), 4);
		break;
	case 1:
		cmd = _IOC(dir, 'T', 180 + fuzz_pick(t, 20), size);
		break;
	case 2:
		cmd = _IOC(_IOC_DIR(cmd), 'T', _IOC_NR(cmd), size);
		break;
	case 3:
		cmd = _IOC(dir, 0xd7, fuzz_pick(t, 256), size);
		break;
	}
	arg = fuzz_one_in(t, 2) ? (unsigned long)t->room :
				  (unsigned long)fuzz_bad_pointer(t);
	fuzz_note(t, "fd %d cmd %#x arg %#lx", fd, cmd, arg);
	return fuzz_one_in(t, 8) ? tun_ioctl_compat(fd, cmd, arg) :
				   tun_ioctl(fd, cmd, arg);
}

/*
 * Names that nobody uses, or nobody can. No digit behind %d: the stack takes
 * the first such name to be free when it is not, and warns.
 */
static void odd_name(struct fuzz_thread *t, char name[IFNAMSIZ])
{
	static const char odd[][IFNAMSIZ] = {
		"", "fz%d", "lo", "a/b", ".", "..", "a b", "%d%d", "fz%s",
		"all", "default", "fuzz0%d", "abcdefghijklmno", "fz%dz",
		"abcdefghijklm%d",
	};
	unsigned int n = fuzz_pick(t, sizeof(odd) / sizeof(*odd) + 2);

	if (n < sizeof(odd) / sizeof(*odd))
		memcpy(name, odd[n], IFNAMSIZ);
	else
		packet_fill(name, IFNAMSIZ, fuzz_random(t));
}

static bool name_is_good(const char *name)
{
	size_t len = strnlen(name, IFNAMSIZ);

	return len && len < IFNAMSIZ && !memchr(name, '/', len) &&
	       !memchr(name, '%', len);
}

static size_t fill_iff(struct fuzz_thread *t, void *object)
{
	static const unsigned short more[] = {
		IFF_ONE_QUEUE, IFF_NO_CARRIER, IFF_TUN_EXCL, IFF_VNET_HDR,
		IFF_VNET_HDR, IFF_NAPI, IFF_NAPI | IFF_NAPI_FRAGS,
		IFF_BACKPRESSURE, IFF_TUN | IFF_TAP, IFF_PERSIST,
		IFF_ATTACH_QUEUE, IFF_DETACH_QUEUE,
	};
	struct ifreq *ifr = object;
	unsigned int n = fuzz_name(t, ifr->ifr_name);
	unsigned int flags = fuzz_device_flags(n);

	if (fuzz_one_in(t, 16))
		flags ^= IFF_NO_PI;
	if (fuzz_one_in(t, 6))
		flags |= more[fuzz_pick(t, sizeof(more) / sizeof(*more))];
	if (fuzz_one_in(t, 16))
		odd_name(t, ifr->ifr_name);
	if (fuzz_one_in(t, 16))
		flags = fuzz_one_in(t, 2) ? fuzz_random(t) : fuzz_edge(t);
	ifr->ifr_flags = flags;
	/* Others' devices may be attached to, and none made. */
	if (t->role == ROLE_NOBODY && !name_is_good(ifr->ifr_name))
		t->expect = EXPECT_ERROR;
	return sizeof(*ifr);
}

static bool check_setiff(struct fuzz_thread *t, const void *object)
{
	const struct ifreq *ifr = object;

	return name_is_good(ifr->ifr_name);
}

static bool check_getiff(struct fuzz_thread *t, const void *object)
{
	const struct ifreq *ifr = object;
	unsigned int flags = (unsigned short)ifr->ifr_flags;
	unsigned int type = flags & TUN_TYPE_MASK;

	if (type != IFF_TUN && type != IFF_TAP)
		return false;
	if ((flags & IFF_DETACH_QUEUE) && !(flags & IFF_MULTI_QUEUE))
		return false;
	return name_is_good(ifr->ifr_name) && !(flags & ~DEVICE_FLAGS);
}

static size_t fill_any(struct fuzz_thread *t, void *object)
{
	return packet_fill(object, sizeof(struct ifreq), fuzz_random(t));
}

static size_t fill_queue(struct fuzz_thread *t, void *object)
{
	static const unsigned short flags[] = {
		IFF_ATTACH_QUEUE, IFF_ATTACH_QUEUE, IFF_ATTACH_QUEUE,
		IFF_DETACH_QUEUE, IFF_DETACH_QUEUE,
		IFF_ATTACH_QUEUE | IFF_DETACH_QUEUE, 0, 0xffff,
	};
	struct ifreq *ifr = object;

	fill_any(t, object);
	ifr->ifr_flags = flags[fuzz_pick(t, 8)];
	return sizeof(*ifr);
}

static size_t fill_int(struct fuzz_thread *t, void *object)
{
	int value = fuzz_edge(t);

	memcpy(object, &value, sizeof(value));
	return sizeof(value);
}

static size_t fill_bool(struct fuzz_thread *t, void *object)
{
	int value = fuzz_one_in(t, 8) ? (int)fuzz_edge(t) : !fuzz_one_in(t, 3);

	memcpy(object, &value, sizeof(value));
	return sizeof(value);
}

static size_t fill_off(struct fuzz_thread *t, void *object)
{
	int value = fuzz_one_in(t, 4);

	memcpy(object, &value, sizeof(value));
	return sizeof(value);
}

static size_t fill_index(struct fuzz_thread *t, void *object)
{
	int value = fuzz_one_in(t, 4) ? (int)fuzz_edge(t) :
					(int)(1 + fuzz_pick(t, 64));

	memcpy(object, &value, sizeof(value));
	return sizeof(value);
}

static size_t fill_hdrsz(struct fuzz_thread *t, void *object)
{
	static const int sizes[] = { 10, 10, 12, 12, 20, 24, 9, 100 };
	int value = sizes[fuzz_pick(t, 8)];

	if (fuzz_one_in(t, 8))
		value = fuzz_edge(t);
	memcpy(object, &value, sizeof(value));
	return sizeof(value);
}

static size_t fill_sndbuf(struct fuzz_thread *t, void *object)
{
	int value = fuzz_one_in(t, 4) ? INT32_MAX : (int)fuzz_edge(t);

	memcpy(object, &value, sizeof(value));
	return sizeof(value);
}

static bool check_features(struct fuzz_thread *t, const void *object)
{
	return !memcmp(object, &t->fuzz->features, sizeof(unsigned int));
}

static bool check_bool(struct fuzz_thread *t, const void *object)
{
	int value;

	memcpy(&value, object, sizeof(value));
	return value == 0 || value == 1;
}

static bool check_positive(struct fuzz_thread *t, const void *object)
{
	int value;

	memcpy(&value, object, sizeof(value));
	return value > 0;
}

/* A classic filter: what it is and where may both be wrong. */
static size_t fill_fprog(struct fuzz_thread *t, void *object)
{
	const struct sock_filter good[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog *fprog = object;

	fprog->len = 2;
	fprog->filter = (void *)(t->room + 8192);
	memcpy(fprog->filter, good, sizeof(good));
	/* What it points to may be missing, or half of it. */
	t->expect = EXPECT_OPEN;
	if (fuzz_one_in(t, 8))
		fprog->filter->code = fuzz_random(t);
	if (fuzz_one_in(t, 8))
		fprog->len = fuzz_edge(t);
	if (fuzz_one_in(t, 8))
		fprog->filter = fuzz_bad_pointer(t);
	return sizeof(*fprog);
}

static size_t fill_txfilter(struct fuzz_thread *t, void *object)
{
	struct tun_filter *filter = object;
	unsigned int count = fuzz_pick(t, 20);

	filter->flags = fuzz_one_in(t, 4) ? fuzz_edge(t) : fuzz_pick(t, 2);
	filter->count = fuzz_one_in(t, 8) ? (int)fuzz_edge(t) : count;
	packet_fill(filter->addr, count * ETH_ALEN, fuzz_random(t));
	if (filter->count != count)
		t->expect = EXPECT_OPEN;
	return sizeof(*filter) + count * ETH_ALEN;
}

static size_t fill_hwaddr(struct fuzz_thread *t, void *object)
{
	struct ifreq *ifr = object;

	packet_fill(ifr->ifr_hwaddr.sa_data, 14, fuzz_random(t));
	ifr->ifr_hwaddr.sa_family = ARPHRD_ETHER;
	ifr->ifr_hwaddr.sa_data[0] &= ~1;
	if (fuzz_one_in(t, 8))
		ifr->ifr_hwaddr.sa_family = fuzz_edge(t);
	if (fuzz_one_in(t, 8))
		ifr->ifr_hwaddr.sa_data[0] |= 1;
	return sizeof(*ifr);
}

static size_t fill_prog_fd(struct fuzz_thread *t, void *object)
{
	int fds[] = { t->fuzz->bpf, -1, fuzz_slot(t), t->fuzz->space[0] };
	int value = fds[fuzz_pick(t, 4)];

	if (fuzz_one_in(t, 8))
		value = fuzz_edge(t);
	memcpy(object, &value, sizeof(value));
	return sizeof(value);
}

static unsigned long value_any(struct fuzz_thread *t)
{
	return fuzz_edge(t);
}

static unsigned long value_persist(struct fuzz_thread *t)
{
	return fuzz_one_in(t, 8) ? fuzz_edge(t) : fuzz_one_in(t, 3);
}

static unsigned long value_id(struct fuzz_thread *t)
{
	static const unsigned int ids[] = {
		FUZZ_NOBODY, FUZZ_NOBODY, FUZZ_NOBODY, 0, 0, -1, 1000,
	};
	unsigned int n = fuzz_pick(t, 8);

	return n < 7 ? ids[n] : fuzz_edge(t);
}

static unsigned long value_link(struct fuzz_thread *t)
{
	static const unsigned short types[] = {
		ARPHRD_ETHER, ARPHRD_ETHER, ARPHRD_NONE, ARPHRD_PPP,
		ARPHRD_TUNNEL6, ARPHRD_INFINIBAND, ARPHRD_IEEE802154,
	};
	unsigned int n = fuzz_pick(t, 8);

	return n < 7 ? types[n] : fuzz_edge(t);
}

static unsigned long value_offload(struct fuzz_thread *t)
{
	static const unsigned int sets[] = {
		0, TUN_F_CSUM, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6,
		TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6, OFFLOADS,
		OFFLOADS & ~TUN_F_UDP_TUNNEL_GSO_CSUM,
	};

	if (fuzz_one_in(t, 8))
		return fuzz_edge(t);
	return fuzz_one_in(t, 4) ? fuzz_random(t) & OFFLOADS :
				   sets[fuzz_pick(t, 6)];
}

#define IOCTL(_cmd, _weight, _arg, _flags, ...) {			\
	.name = #_cmd, .weight = _weight, .run = run_ioctl, .cmd = _cmd,\
	_arg, .flags = _flags, .errors = { __VA_ARGS__ } }
#define READS(_fill)		.fill = fill_##_fill
#define GIVES(_fill, _check)	.fill = fill_##_fill, .check = check_##_check
#define VALUE(_value)		.value = value_##_value

const struct fuzz_row fuzz_ioctl_rows[] = {
	IOCTL(TUNSETIFF, 60, GIVES(iff, setiff), ROW_NOBODY | ROW_ANSWERS,
	      EFAULT, EEXIST, EINVAL, EBUSY, E2BIG, EPERM, ENOMEM, ENFILE),
	IOCTL(TUNGETIFF, 10, GIVES(any, getiff), ROW_NOBODY | ROW_ANSWERS,
	      EFAULT, EBADFD),
	IOCTL(TUNGETFEATURES, 5, GIVES(int, features),
	      ROW_NOBODY | ROW_ANSWERS, EFAULT),
	IOCTL(TUNSETQUEUE, 30, READS(queue), ROW_NOBODY, EFAULT, EINVAL,
	      EPERM, ENOMEM),
	IOCTL(TUNSETIFINDEX, 5, READS(index), 0, EFAULT, EINVAL, EPERM),
	IOCTL(TUNSETPERSIST, 8, VALUE(persist), 0, EBADFD),
	IOCTL(TUNSETOWNER, 10, VALUE(id), 0, EBADFD, EINVAL),
	IOCTL(TUNSETGROUP, 3, VALUE(id), 0, EBADFD, EINVAL),
	/* With a VLAN on it, a device's type is fixed. */
	IOCTL(TUNSETLINK, 6, VALUE(link), 0, EBADFD, EBUSY, EPERM),
	IOCTL(TUNSETCARRIER, 8, READS(bool), 0, EBADFD, EFAULT, EPERM),
	IOCTL(TUNSETNOCSUM, 2, VALUE(any), 0, EBADFD),
	IOCTL(TUNSETDEBUG, 2, VALUE(any), 0, EBADFD),
	IOCTL(TUNSETOFFLOAD, 8, VALUE(offload), 0, EBADFD, EINVAL),
	IOCTL(TUNSETTXFILTER, 6, READS(txfilter), 0, EBADFD, EFAULT,
	      EINVAL, ENOMEM),
	IOCTL(TUNGETSNDBUF, 3, GIVES(int, positive), ROW_ANSWERS,
	      EBADFD, EFAULT),
	IOCTL(TUNSETSNDBUF, 4, READS(sndbuf), 0, EBADFD, EFAULT,
	      EINVAL),
	IOCTL(TUNATTACHFILTER, 6, READS(fprog), 0, EBADFD, EFAULT,
	      EINVAL, ENOMEM, EPERM),
	IOCTL(TUNDETACHFILTER, 4, VALUE(any), 0, EBADFD, EINVAL,
	      ENOENT),
	IOCTL(TUNGETFILTER, 4, READS(fprog), ROW_ANSWERS, EBADFD,
	      EFAULT, EINVAL),
	IOCTL(TUNGETVNETHDRSZ, 3, GIVES(int, positive), ROW_ANSWERS,
	      EBADFD, EFAULT),
	IOCTL(TUNSETVNETHDRSZ, 5, READS(hdrsz), 0, EBADFD, EFAULT,
	      EINVAL),
	IOCTL(TUNGETVNETLE, 2, GIVES(int, bool), ROW_ANSWERS,
	      EBADFD, EFAULT),
	IOCTL(TUNSETVNETLE, 3, READS(bool), 0, EBADFD, EFAULT),
	/* For other machines' byte order: not in every kernel. */
	IOCTL(TUNGETVNETBE, 2, GIVES(int, bool),
	      ROW_ANSWERS | ROW_CHANCE, EBADFD, EFAULT, EINVAL),
	IOCTL(TUNSETVNETBE, 2, READS(bool), ROW_CHANCE, EBADFD,
	      EFAULT, EINVAL),
	IOCTL(TUNSETSTEERINGEBPF, 5, READS(prog_fd), 0, EBADFD, EFAULT,
	      EINVAL, EBADF, ENOMEM),
	IOCTL(TUNSETFILTEREBPF, 5, READS(prog_fd), 0, EBADFD, EFAULT,
	      EINVAL, EBADF, ENOMEM),
	IOCTL(TUNGETDEVNETNS, 3, VALUE(any), ROW_FILE, EBADFD,
	      EPERM),
	IOCTL(SIOCGSKNS, 3, VALUE(any), ROW_FILE, EPERM),
	IOCTL(SIOCGIFHWADDR, 3, READS(any), ROW_ANSWERS, EBADFD,
	      EFAULT),
	IOCTL(SIOCSIFHWADDR, 4, READS(hwaddr), 0, EBADFD, EFAULT,
	      EINVAL, EBUSY, EADDRNOTAVAIL, EOPNOTSUPP),
	IOCTL(SIOCGIFFLAGS, 2, READS(any), ROW_NEVER, EBADFD, EFAULT, EINVAL),
	/* Those of every file, which the driver gets to see or not. */
	IOCTL(FIONBIO, 3, READS(bool), 0, EFAULT),
	IOCTL(FIOASYNC, 4, READS(off), 0, EFAULT),
	IOCTL(FIONREAD, 2, GIVES(int, bool), ROW_NEVER, EBADFD, EINVAL),
	IOCTL(TCGETS, 2, READS(any), ROW_NEVER, EBADFD, EINVAL),
	{ .name = "unknown ioctl", .weight = 8, .run = run_unknown,
	  .flags = ROW_NEVER, .errors = { EBADFD, EINVAL } },
	{ }
};
