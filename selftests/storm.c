// SPDX-License-Identifier: GPL-2.0-only
/* Everything at random: see storm.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/if_link.h>

#include "bpf.h"
#include "rtnl.h"
#include "storm.h"

#define NAMES	3
#define VHOST_ROOM	16	/* buffers, fewer than vhost takes packets at a time */

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof(*(array)))

static const char *const storm_op_name[STORM_OPS] = {
	[OP_OPEN] = "open", [OP_CLOSE] = "close", [OP_DETACH] = "detach",
	[OP_ATTACH] = "attach", [OP_PERSIST] = "persist", [OP_OWNER] = "owner",
	[OP_GROUP] = "group", [OP_GETIFF] = "getiff", [OP_SNDBUF] = "sndbuf",
	[OP_CLASSIC] = "classic", [OP_FILTER] = "filter", [OP_STEER] = "steer",
	[OP_READ] = "read", [OP_WRITE] = "write", [OP_POLL] = "poll",
	[OP_DELETE] = "delete", [OP_MTU] = "mtu", [OP_TXQLEN] = "txqlen",
	[OP_UP] = "up", [OP_DOWN] = "down", [OP_MOVE] = "move",
	[OP_RENAME] = "rename", [OP_XDP] = "xdp", [OP_SIGNAL] = "signal",
	[OP_VHOST] = "vhost", [OP_GUEST] = "guest", [OP_SEND] = "send",
	[OP_WAIT] = "wait",
};

unsigned int storm_random(unsigned int *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static unsigned int pick(struct storm_thread *self, unsigned int n)
{
	return (storm_random(&self->random) >> 8) % n;
}

static void name_of(char name[IFNAMSIZ], unsigned int n)
{
	snprintf(name, IFNAMSIZ, "storm%u", n);
}

/* What a call may say while others change what it is about. */
static bool expected(int err)
{
	static const int errors[] = {
		EAGAIN, EBADF, EBADFD, EBUSY, EEXIST, EINTR, EINVAL, EIO,
		ENETDOWN, ENOBUFS, ENODEV, ENOENT, ENXIO, E2BIG, EPERM,
		EMSGSIZE, ETIMEDOUT, EOPNOTSUPP,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		if (err == -errors[i])
			return true;
	}
	return false;
}

static void begin(struct storm_thread *self, enum storm_op op)
{
	self->op = op;
	self->since = now_ms();
}

static long end(struct storm_thread *self, long ret)
{
	struct storm *storm = self->storm;
	int op = self->op;
	long took = now_ms() - self->since;

	self->since = 0;
	if (op != OP_WAIT && took > storm->slowest[op])
		storm->slowest[op] = took;
	if (ret >= 0) {
		storm->done[op]++;
		return ret;
	}
	storm->failed[op]++;
	if (!expected(ret) && !storm->odd_errno) {
		storm->odd_op = op;
		storm->odd_errno = ret;
	}
	return ret;
}

/* Binds to one of the names; which is TUN and which TAP is fixed, mostly. */
static int bind_any(struct storm_thread *self, int fd)
{
	static const int extra[] = {
		0, 0, 0, 0, 0, IFF_NO_PI, IFF_TUN_EXCL, IFF_NAPI, IFF_NAPI,
		IFF_NAPI | IFF_NAPI_FRAGS, IFF_BACKPRESSURE,
		IFF_BACKPRESSURE | IFF_NAPI,
	};
	unsigned int n = pick(self, NAMES);
	int flags = n & 1 ? IFF_TAP : IFF_TUN;
	char name[IFNAMSIZ];

	name_of(name, n);
	if (pick(self, 16))
		flags |= IFF_MULTI_QUEUE;
	return tun_set_iff(fd, name,
			   flags | extra[pick(self, ARRAY_SIZE(extra))]);
}

static void op_open(struct storm_thread *self, struct storm_slot *slot)
{
	int fd;

	pthread_rwlock_wrlock(&slot->lock);
	begin(self, OP_OPEN);
	fd = slot->fd < 0 ? tun_open(O_NONBLOCK) : slot->fd;
	if (fd >= 0)
		slot->fd = fd;
	end(self, fd < 0 ? fd : bind_any(self, fd));
	pthread_rwlock_unlock(&slot->lock);
}

static void op_close(struct storm_thread *self, struct storm_slot *slot)
{
	pthread_rwlock_wrlock(&slot->lock);
	begin(self, OP_CLOSE);
	end(self, slot->fd < 0 || !close(slot->fd) ? 0 : -errno);
	slot->fd = -1;
	pthread_rwlock_unlock(&slot->lock);
}

/* From one packet on its way, to no limit at all. */
static long set_sndbuf(struct storm_thread *self, int fd)
{
	static const int sizes[] = { 1, 4096, 100000, INT32_MAX };

	return tun_ioctl_ptr(fd, TUNSETSNDBUF,
			     &sizes[pick(self, ARRAY_SIZE(sizes))]);
}

/* A filter that cuts packets, or none. */
static long set_classic(struct storm_thread *self, int fd)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, 30);
	struct sock_fprog prog = { .len = 1, .filter = &code };

	return pick(self, 2) ? tun_ioctl_ptr(fd, TUNATTACHFILTER, &prog) :
	       tun_ioctl(fd, TUNDETACHFILTER, 0);
}

static long set_program(struct storm_thread *self, unsigned long cmd, int fd)
{
	int prog = pick(self, 2) ? self->storm->prog : -1;

	return tun_ioctl_ptr(fd, cmd, &prog);
}

static long ioctl_op(struct storm_thread *self, enum storm_op op, int fd)
{
	char name[IFNAMSIZ];

	switch (op) {
	case OP_DETACH:
		return tun_queue(fd, IFF_DETACH_QUEUE);
	case OP_ATTACH:
		return tun_queue(fd, IFF_ATTACH_QUEUE);
	case OP_PERSIST:
		return tun_ioctl(fd, TUNSETPERSIST, pick(self, 2));
	case OP_OWNER:
		return tun_ioctl(fd, TUNSETOWNER, pick(self, 3) * 1000);
	case OP_GROUP:
		return tun_ioctl(fd, TUNSETGROUP, pick(self, 3) * 1000);
	case OP_SNDBUF:
		return set_sndbuf(self, fd);
	case OP_CLASSIC:
		return set_classic(self, fd);
	case OP_FILTER:
		return set_program(self, TUNSETFILTEREBPF, fd);
	case OP_STEER:
		return set_program(self, TUNSETSTEERINGEBPF, fd);
	default:
		return tun_name(fd, name);
	}
}

/* A slot of files that do not block. */
static long io_op(struct storm_thread *self, enum storm_op op, int fd)
{
	uint8_t buf[2048] = { 0, 0, 8, 0 };
	size_t len;

	if (op == OP_READ)
		return read_ret(fd, buf, sizeof(buf));
	if (op == OP_POLL)
		return wait_events(fd, POLLIN | POLLOUT, 0);
	len = 4 + packet_udp4(buf + 4, flow_nth(pick(self, 64)), "", 1);
	return write_ret(fd, buf, len);
}

static void op_slot(struct storm_thread *self, enum storm_op op)
{
	struct storm *storm = self->storm;
	unsigned int n = pick(self, STORM_SLOTS + 4);
	struct storm_slot *slot = &storm->slot[n];
	bool theirs = n >= STORM_SLOTS;

	if (theirs) {
		/* A reader's own, which waits: not for calls that may. */
		n = pick(self, STORM_THREADS);
		slot = &storm->thread[n].own;
		if (op == OP_READ || op == OP_WRITE || op == OP_POLL)
			op = OP_GETIFF;
	}
	if (op == OP_OPEN || op == OP_CLOSE) {
		if (!theirs)
			(op == OP_OPEN ? op_open : op_close)(self, slot);
		return;
	}
	pthread_rwlock_rdlock(&slot->lock);
	if (slot->fd >= 0) {
		begin(self, op);
		end(self, op == OP_READ || op == OP_WRITE || op == OP_POLL ?
		    io_op(self, op, slot->fd) : ioctl_op(self, op, slot->fd));
	}
	pthread_rwlock_unlock(&slot->lock);
}

/* A program that drops, passes, sends back or sends on; or none. */
static int give_program(struct storm_thread *self, int index)
{
	static const int verdicts[] = { XDP_DROP, XDP_PASS, XDP_TX };
	unsigned int what = pick(self, 6);
	char name[IFNAMSIZ];

	if (what < 3)
		return bpf_give_verdict(index, verdicts[what]);
	if (what < 4)
		return bpf_remove_xdp(index);
	name_of(name, pick(self, NAMES));
	return bpf_give_redirect(index, link_index(name));
}

static int link_op(struct storm_thread *self, enum storm_op op, int index)
{
	char name[IFNAMSIZ];

	switch (op) {
	case OP_DELETE:
		return link_delete(index);
	case OP_MTU:
		return link_set_u32(index, IFLA_MTU, 68 + pick(self, 9000));
	case OP_TXQLEN:
		return link_set_u32(index, IFLA_TXQLEN, 1 + pick(self, 1000));
	case OP_UP:
	case OP_DOWN:
		return link_up(index, op == OP_UP);
	case OP_MOVE:
		return link_set_ns(index, self->storm->space[!self->space]);
	case OP_XDP:
		return give_program(self, index);
	default:
		name_of(name, pick(self, NAMES));
		return link_set_name(index, name);
	}
}

static void op_link(struct storm_thread *self, enum storm_op op)
{
	char name[IFNAMSIZ];
	int index;

	name_of(name, pick(self, NAMES));
	begin(self, op);
	index = link_index(name);
	end(self, index < 0 ? index : link_op(self, op, index));
}

static void op_signal(struct storm_thread *self)
{
	int n = pick(self, STORM_THREADS);

	begin(self, OP_SIGNAL);
	end(self, -pthread_kill(self->storm->thread[n].thread, SIGUSR1));
}

static int vhost_fresh(struct storm_vhost *v)
{
	int err;

	vhost_close(&v->vhost);
	err = vhost_open(&v->vhost, VHOST_V1 | VHOST_HDR);
	/* It forgets buffers of a batch that the queue refuses. */
	v->vhost.tx.any_order = true;
	return err ? err : vhost_fill(&v->vhost, VHOST_ROOM);
}

/* Closed with a backend, vhost_net forgets memory. */
static int vhost_stop(struct storm_vhost *v)
{
	return v->vhost.mem ? vhost_set_backend(&v->vhost, -1) : 0;
}

/* A queue that is read by it, written to, or both. */
static long vhost_start(struct storm_thread *self, struct vhost *vhost, int fd)
{
	switch (pick(self, 4)) {
	case 0:
		return vhost_set_rx_backend(vhost, fd);
	case 1:
		return vhost_set_tx_backend(vhost, fd);
	default:
		return vhost_set_backend(vhost, fd);
	}
}

/* With any queue, a reader's own as well. */
static long vhost_start_any(struct storm_thread *self, struct vhost *vhost)
{
	struct storm *storm = self->storm;
	unsigned int n = pick(self, STORM_SLOTS + 4);
	struct storm_slot *slot = n < STORM_SLOTS ? &storm->slot[n] :
		&storm->thread[pick(self, STORM_THREADS)].own;
	long ret = -EBADF;

	pthread_rwlock_rdlock(&slot->lock);
	if (slot->fd >= 0)
		ret = vhost_start(self, vhost, slot->fd);
	pthread_rwlock_unlock(&slot->lock);
	return ret;
}

/* The guest takes what it has received, and sends what it has room for. */
static long vhost_use(struct storm_thread *self, struct vhost *vhost)
{
	uint8_t buf[VQ_ROOM] = { 0 };
	size_t len = packet_udp4(buf, flow_nth(pick(self, 64)), "guest", 5);
	int n, ret = vhost_reclaim(vhost, 0);

	for (n = pick(self, 64); n >= 0 && ret >= 0; n--)
		ret = vhost_queue(vhost, buf, len);
	if (ret < 0 && ret != -ENOSPC)
		return ret;
	ret = vhost_kick(&vhost->tx);
	for (n = 0; n < VQ_SIZE && ret >= 0 && vhost_has_received(vhost); n++)
		ret = vhost_recv(vhost, buf, sizeof(buf));
	return ret;
}

static void op_vhost(struct storm_thread *self, enum storm_op op)
{
	struct storm *storm = self->storm;
	struct storm_vhost *v = &storm->vhost[pick(self, STORM_VHOSTS)];
	long ret;

	if (!storm->has_vhosts)
		return;
	pthread_mutex_lock(&v->lock);
	begin(self, op);
	if (op == OP_GUEST) {
		ret = vhost_use(self, &v->vhost);
	} else if (pick(self, 2)) {
		ret = vhost_start_any(self, &v->vhost);
	} else {
		ret = vhost_stop(v);
		if (!ret && !pick(self, 4))
			ret = vhost_fresh(v);
	}
	end(self, ret);
	pthread_mutex_unlock(&v->lock);
}

static void act(struct storm_thread *self)
{
	static const enum storm_op often[] = {
		OP_OPEN, OP_OPEN, OP_OPEN, OP_DETACH, OP_ATTACH, OP_WRITE,
		OP_READ, OP_UP, OP_VHOST, OP_VHOST, OP_GUEST, OP_GUEST,
	};
	enum storm_op op = pick(self, OP_SEND + ARRAY_SIZE(often));

	if (op >= OP_SEND)
		op = often[op - OP_SEND];
	if (op <= OP_POLL)
		op_slot(self, op);
	else if (op <= OP_XDP)
		op_link(self, op);
	else if (op == OP_SIGNAL)
		op_signal(self);
	else
		op_vhost(self, op);
}

/*
 * Waits as programs do, until the device goes. Who writes waits for room in the
 * send buffer, which the stack makes without anybody's help.
 */
static void use_until_gone(struct storm_thread *self)
{
	uint8_t buf[2048];
	long ret;

	do {
		if (!pick(self, 4)) {
			begin(self, OP_WRITE);
			end(self, io_op(self, OP_WRITE, self->own.fd));
		}
		if (pick(self, 2))
			wait_events(self->own.fd, POLLIN, -1);
		begin(self, OP_WAIT);
		ret = end(self, read_ret(self->own.fd, buf, sizeof(buf)));
	} while (ret >= 0 || ret == -EINTR || ret == -EAGAIN);
}

static void reader(struct storm_thread *self)
{
	int fd = tun_open(0);

	if (fd < 0)
		return;
	begin(self, OP_OPEN);
	if (end(self, bind_any(self, fd)) < 0) {
		close(fd);
		return;
	}
	pthread_rwlock_wrlock(&self->own.lock);
	self->own.fd = fd;
	pthread_rwlock_unlock(&self->own.lock);
	use_until_gone(self);
	op_close(self, &self->own);
}

static void send_some(struct storm_thread *self, int sock)
{
	char name[IFNAMSIZ];
	uint8_t buf[128];
	int index, n;
	size_t len;

	name_of(name, pick(self, NAMES));
	index = link_index(name);
	len = packet_udp4(buf, flow_nth(pick(self, 64)), "storm", 5);
	for (n = 0; index > 0 && n < 32; n++) {
		begin(self, OP_SEND);
		if (end(self, packet_send(sock, index, 0x0800, buf, len)) < 0)
			break;
	}
}

static void *thread_main(void *arg)
{
	struct storm_thread *self = arg;
	struct storm *storm = self->storm;
	int role = self->id / STORM_SPACES;
	int sock;

	if (setns(storm->space[self->space], CLONE_NEWNET)) {
		storm->odd_errno = -errno;
		storm->running--;
		return NULL;
	}
	/* What waits in a qdisc takes room in it: it must not wait for that. */
	sock = packet_socket(0, 0);
	fcntl(sock, F_SETFL, O_NONBLOCK);
	while (!storm->stop) {
		if (role < STORM_ACTORS)
			act(self);
		else if (role < STORM_ACTORS + STORM_READERS)
			reader(self);
		else
			send_some(self, sock);
	}
	close(sock);
	storm->running--;
	return NULL;
}

static void ignore(int sig)
{
}

static int spaces_init(struct storm *storm)
{
	storm->space[0] = ns_this();
	if (storm->space[0] < 0)
		return storm->space[0];
	storm->space[1] = ns_beside();
	return storm->space[1] < 0 ? storm->space[1] : 0;
}

static void slot_init(struct storm_slot *slot)
{
	slot->fd = -1;
	pthread_rwlock_init(&slot->lock, NULL);
}

static int vhosts_init(struct storm *storm)
{
	int i, err = 0;

	for (i = 0; !err && i < STORM_VHOSTS; i++) {
		pthread_mutex_init(&storm->vhost[i].lock, NULL);
		err = vhost_fresh(&storm->vhost[i]);
	}
	return err;
}

static int vhosts_end(struct storm *storm)
{
	int i, err = 0;

	for (i = 0; !err && i < STORM_VHOSTS; i++) {
		err = vhost_stop(&storm->vhost[i]);
		vhost_close(&storm->vhost[i].vhost);
	}
	return err;
}

int storm_start(struct storm *storm, unsigned int seed, bool has_vhosts)
{
	struct sigaction action = { .sa_handler = ignore };
	int err, i;

	memset(storm, 0, sizeof(*storm));
	sigaction(SIGUSR1, &action, NULL);
	err = spaces_init(storm);
	storm->prog = bpf_load_constant(BPF_PROG_TYPE_SOCKET_FILTER, 1 << 16);
	if (!err && storm->prog < 0)
		err = storm->prog;
	storm->has_vhosts = has_vhosts;
	if (!err && has_vhosts)
		err = vhosts_init(storm);
	for (i = 0; i < STORM_SLOTS; i++)
		slot_init(&storm->slot[i]);
	for (i = 0; i < STORM_THREADS; i++) {
		slot_init(&storm->thread[i].own);
		storm->thread[i].storm = storm;
		storm->thread[i].id = i;
		storm->thread[i].space = i % STORM_SPACES;
		storm->thread[i].random = (seed + i) * 2654435761u | 1;
		/* Signals go to all: none before it has begun. */
		storm->thread[i].thread = pthread_self();
	}
	for (i = 0; !err && i < STORM_THREADS; i++) {
		storm->running++;
		err = -pthread_create(&storm->thread[i].thread, NULL,
				      thread_main, &storm->thread[i]);
	}
	return err;
}

/* A call that does not end is seen while it lasts. */
static void watch_once(struct storm *storm)
{
	int i;

	for (i = 0; i < STORM_THREADS; i++) {
		struct storm_thread *thread = &storm->thread[i];
		long since = thread->since;
		int op = thread->op;

		if (since && op != OP_WAIT &&
		    now_ms() - since > storm->slowest[op])
			storm->slowest[op] = now_ms() - since;
	}
}

void storm_watch(struct storm *storm, int64_t ms)
{
	int64_t end = now_ms() + ms;

	while (now_ms() < end) {
		watch_once(storm);
		pause_ms(100);
	}
}

static void *delete_all(void *arg)
{
	struct storm *storm = arg;
	int i;

	for (i = 0; i < STORM_SPACES; i++) {
		if (!setns(storm->space[i], CLONE_NEWNET))
			link_delete_kind(tun_kind());
	}
	return NULL;
}

/*
 * Ends the storm: the devices go, and whoever waits for their packets must
 * return. The number of those who do not is the error.
 */
int storm_stop(struct storm *storm)
{
	int64_t end = now_ms() + WAIT_MS;
	pthread_t thread;
	int i, err;

	storm->stop = true;
	while (storm->running && now_ms() < end) {
		if (pthread_create(&thread, NULL, delete_all, storm))
			return -EAGAIN;
		pthread_join(thread, NULL);
		watch_once(storm);
	}
	if (storm->running)
		return storm->running;
	for (i = 0; i < STORM_THREADS; i++)
		pthread_join(storm->thread[i].thread, NULL);
	for (i = 0; i < STORM_SLOTS; i++) {
		if (storm->slot[i].fd >= 0)
			close(storm->slot[i].fd);
	}
	err = storm->has_vhosts ? vhosts_end(storm) : 0;
	pthread_create(&thread, NULL, delete_all, storm);
	pthread_join(thread, NULL);
	for (i = 0; i < STORM_SPACES; i++)
		close(storm->space[i]);
	close(storm->prog);
	return err;
}

int storm_wrong(struct storm *storm, long bound_ms)
{
	int op, wrong = 0;

	for (op = 0; op < STORM_OPS; op++) {
		long slowest = storm->slowest[op];

		printf("# %-8s %8ld done, %8ld refused, slowest %6ld ms%s\n",
		       storm_op_name[op], storm->done[op], storm->failed[op],
		       slowest, slowest < bound_ms ? "" : ": too long");
		wrong += slowest >= bound_ms;
	}
	if (!storm->odd_errno)
		return wrong;
	printf("# %s: %d\n", storm_op_name[storm->odd_op], storm->odd_errno);
	return wrong + 1;
}
