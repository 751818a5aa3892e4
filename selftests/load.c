// SPDX-License-Identifier: GPL-2.0-only
/* Traffic with sequence numbers: see load.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/pkt_sched.h>
#include <linux/udp.h>

#include "batch.h"
#include "bpf.h"
#include "load.h"
#include "rtnl.h"

#define NAME		"load"
#define WAKE		MAX_QUEUES	/* in an event: not a slot */
#define BURST		64		/* packets read from a slot at a time */
#define READ_ROOM	2048		/* bytes of a batch */
#define FEW		8		/* queues to read without asking */
#define MAX_EVENTS	16
#define STALL_MS	200
#define SETTLE_MS	1000
#define HANDLE		(1 << 16)	/* of the queueing discipline */

/* Behind the UDP header. */
struct mark {
	uint32_t magic, flow, number;
};

#define MAGIC		0x72746c64
#define MARK_AT		(sizeof(struct iphdr) + sizeof(struct udphdr))

static struct timespec deadline(int ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += ms % 1000 * 1000000L;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	return ts;
}

static long in_flight(struct load *load)
{
	return load->sent - load->received - load->dropped - load->written_off;
}

static long read_dropped(struct load *load)
{
	struct link_info info;

	if (!link_get(load->index, &info))
		load->dropped = info.stats.tx_dropped;
	return load->dropped;
}

/* What nobody will ever read, and no counter shows, takes no room for ever. */
static void write_off(struct load *load, long received)
{
	read_dropped(load);
	if (load->received == received && !load->paused && in_flight(load) > 0)
		load->written_off += in_flight(load);
}

static void wait_for_room(struct load *load)
{
	struct timespec end = deadline(STALL_MS);
	long received;
	int err = 0;

	pthread_mutex_lock(&load->lock);
	load->blocked++;
	pthread_cond_broadcast(&load->progress);
	received = load->received;
	while (!err && !load->stop_senders && in_flight(load) >= load->room)
		err = pthread_cond_clockwait(&load->progress, &load->lock,
					     CLOCK_MONOTONIC, &end);
	load->blocked--;
	pthread_mutex_unlock(&load->lock);
	if (err)
		write_off(load, received);
}

static size_t build(uint8_t *buf, const struct load *load, uint32_t flow)
{
	struct mark mark = { .magic = MAGIC, .flow = flow };
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 2 };
	size_t head = load->flags & IFF_TAP ? ETH_HLEN : 0;

	if (head)
		packet_eth(buf, mac, mac, ETH_P_IP);
	return head + packet_udp4(buf + head, flow_nth(flow), &mark,
				  sizeof(mark));
}

static void note_time(atomic_long *slowest, int64_t start)
{
	int64_t took = now_ms() - start;

	if (took > *slowest)
		*slowest = took;
}

/* A packet that the stack gave to the driver counts, whatever became of it. */
static void send_one(struct load_sender *sender, uint8_t *buf, size_t len,
		     struct load_flow *flow)
{
	struct load *load = sender->load;
	uint32_t number = flow->next;
	int64_t start;
	int ret;

	memcpy(buf + len - sizeof(number), &number, sizeof(number));
	pthread_rwlock_rdlock(&load->sending);
	start = now_ms();
	ret = sender->source < 0 ?
		packet_send(sender->sock, load->index, ETH_P_IP, buf, len) :
		write_ret(sender->source, buf, len);
	note_time(&load->slowest_send, start);
	pthread_rwlock_unlock(&load->sending);
	if (ret >= 0 || (ret == -ENOBUFS && sender->direct)) {
		flow->next++;
		load->sent++;
		sender->sent++;
	} else {
		load->refused++;
		sched_yield();
	}
}

static void *sender_main(void *arg)
{
	static __thread uint8_t packet[LOAD_FLOWS][128];
	struct load_sender *sender = arg;
	struct load *load = sender->load;
	size_t len = 0;
	int n;

	for (n = sender->id; n < LOAD_FLOWS; n += LOAD_SENDERS)
		len = build(packet[n], load, n);
	for (n = sender->id; !load->stop_senders;) {
		if (in_flight(load) >= load->room) {
			wait_for_room(load);
			continue;
		}
		send_one(sender, packet[n], len, &load->flow[n]);
		n = (n + LOAD_SENDERS) % LOAD_FLOWS;
	}
	return NULL;
}

static void note(struct load *load, int slot, const uint8_t *buf, ssize_t len)
{
	size_t head = load->flags & IFF_TAP ? ETH_HLEN : 0;
	struct load_flow *flow;
	struct mark mark;

	if (len < (ssize_t)(head + MARK_AT + sizeof(mark))) {
		load->alien++;
		return;
	}
	memcpy(&mark, buf + head + MARK_AT, sizeof(mark));
	if (mark.magic != MAGIC || mark.flow >= LOAD_FLOWS) {
		load->alien++;
		return;
	}
	flow = &load->flow[mark.flow];
	load->received++;
	load->read[load->slot[slot].number]++;
	if (mark.number >= flow->seen) {
		flow->seen = mark.number + 1;
		flow->slot = slot;
		return;
	}
	if (load->reordered < LOAD_LATE)
		load->late[load->reordered] = (struct load_late){
			.flow = mark.flow, .number = mark.number,
			.newest = flow->seen - 1, .slot = slot,
			.newest_slot = flow->slot,
		};
	load->reordered++;
}

void load_got(struct load *load, int slot, const void *packet, ssize_t len)
{
	pthread_mutex_lock(&load->seen);
	note(load, slot, packet, len);
	pthread_mutex_unlock(&load->seen);
}

/* Reads a packet, or as many as there are and as fit: how many. */
static int read_some(struct load *load, int slot)
{
	static struct batch batch;	/* there is one reader */
	int fd = load->slot[slot].fd, n = 0, err = 0;
	int64_t start = now_ms();
	struct rtun_frame frame;
	uint8_t buf[256], *packet;
	ssize_t len;

	len = load->packed ? batch_read(fd, &batch, READ_ROOM) :
			     read_ret(fd, buf, sizeof(buf));
	note_time(&load->slowest_read, start);
	if (len < 0)
		return len;
	if (!load->packed) {
		load_got(load, slot, buf, len);
		return 1;
	}
	while (!(err = batch_next(&batch, &frame, &packet))) {
		load_got(load, slot, packet, frame.len);
		n++;
	}
	/* What is no frame. */
	if (err != -ENODATA)
		load->alien++;
	return n;
}

static void drain(struct load *load, int slot)
{
	struct load_slot *s = &load->slot[slot];
	int n, ret = 0;

	pthread_rwlock_rdlock(&s->lock);
	/* What the guest did not take it left in the ring. */
	if (s->vhost.mem && load_vhost_drain(load, slot))
		load->alien++;
	for (n = 0; n < BURST && s->fd >= 0 && !s->guest_reads && ret >= 0;
	     n += ret)
		ret = read_some(load, slot);
	pthread_rwlock_unlock(&s->lock);
}

/* Tells that it reads no more, while it shall not. */
static void park(struct load *load)
{
	uint64_t value;

	if (read(load->wake, &value, sizeof(value)) < 0)
		return;
	pthread_mutex_lock(&load->lock);
	load->parked = true;
	pthread_cond_broadcast(&load->progress);
	while (load->paused && !load->stop_reader)
		pthread_cond_wait(&load->progress, &load->lock);
	load->parked = false;
	pthread_mutex_unlock(&load->lock);
}

static int wake_reader(struct load *load)
{
	uint64_t one = 1;

	return write(load->wake, &one, sizeof(one)) < 0 ? -errno : 0;
}

/*
 * Few queues are read in an order that changes, and not by when they became
 * readable: two packets of a flow in two queues do not stay unnoticed.
 */
static void *reader_main(void *arg)
{
	struct load *load = arg;
	struct epoll_event event[MAX_EVENTS];
	unsigned int first = 1;
	bool few = load->queues <= FEW;
	int i, n;

	while (!load->stop_reader) {
		n = epoll_wait(load->epoll, event, MAX_EVENTS, -1);
		park(load);
		first = first * 1103515245 + 12345;
		for (i = 0; few && i < load->queues; i++)
			drain(load, ((first >> 16) + i) % load->queues);
		for (i = 0; !few && i < n; i++) {
			if (event[i].data.u32 != WAKE)
				drain(load, event[i].data.u32);
		}
		pthread_mutex_lock(&load->lock);
		pthread_cond_broadcast(&load->progress);
		pthread_mutex_unlock(&load->lock);
	}
	return NULL;
}

/* Until that many more packets have been read. */
static int pass(struct load *load, long packets, int ms)
{
	struct timespec end = deadline(ms);
	long target = load->received + packets;
	int err = 0;

	pthread_mutex_lock(&load->lock);
	while (!err && load->received < target)
		err = pthread_cond_clockwait(&load->progress, &load->lock,
					     CLOCK_MONOTONIC, &end);
	pthread_mutex_unlock(&load->lock);
	return -err;
}

int load_pass(struct load *load, long packets)
{
	return pass(load, packets, WAIT_MS);
}

/*
 * Stops the reader until load_resume(), and returns when that share of the
 * window, in per cent, waits in the rings.
 */
int load_fill(struct load *load, int share)
{
	struct timespec end = deadline(WAIT_MS);
	int err;

	pthread_mutex_lock(&load->lock);
	load->paused = true;
	err = load->parked ? 0 : wake_reader(load);
	while (!err && !load->parked)
		err = pthread_cond_clockwait(&load->progress, &load->lock,
					     CLOCK_MONOTONIC, &end);
	load->room = load->window * share / 100;
	pthread_cond_broadcast(&load->progress);
	while (!err && (load->blocked < LOAD_SENDERS ||
			in_flight(load) < load->room))
		err = pthread_cond_clockwait(&load->progress, &load->lock,
					     CLOCK_MONOTONIC, &end);
	pthread_mutex_unlock(&load->lock);
	return -err;
}

void load_resume(struct load *load)
{
	pthread_mutex_lock(&load->lock);
	load->paused = false;
	load->room = load->window;
	pthread_cond_broadcast(&load->progress);
	pthread_mutex_unlock(&load->lock);
}

int load_watch(struct load *load, int slot, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = slot };

	return epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* A file gets the lowest number that is free, and keeps it. */
static int take_number(struct load *load)
{
	int number = 0;

	while (load->taken[number])
		number++;
	load->taken[number] = true;
	return number;
}

/* The queue of a file that is closed here. */
static int as_socket(int fd)
{
	int sock = tun_ioctl(fd, RTUN_SOCKET, O_NONBLOCK | O_CLOEXEC);

	close(fd);
	return sock;
}

int load_open(struct load *load, int slot)
{
	struct load_slot *s = &load->slot[slot];
	int err, number = 0, fd = tun_open(O_NONBLOCK);
	int64_t start;

	pthread_mutex_lock(&load->numbers);
	start = now_ns();
	err = fd < 0 ? fd : tun_set_iff(fd, NAME, load->flags);
	load->took_ns = now_ns() - start;
	if (!err)
		number = take_number(load);
	pthread_mutex_unlock(&load->numbers);
	if (!err && load->packed)
		err = batch_set(fd, RTUN_BATCH_V1);
	if (!err && load->sockets)
		err = fd = as_socket(fd);
	if (err < 0) {
		close(fd);
		return err;
	}
	pthread_rwlock_wrlock(&s->lock);
	s->fd = fd;
	s->number = number;
	s->state = SLOT_ACTIVE;
	pthread_rwlock_unlock(&s->lock);
	return load_watch(load, slot, fd);
}

/*
 * Who polls a file has it for that moment, and a reader that goes on to sleep in
 * epoll_wait() lets go of it only when it is woken. Without this, close() could
 * leave the queue to it.
 */
int load_unwatch(struct load *load, int fd)
{
	return epoll_ctl(load->epoll, EPOLL_CTL_DEL, fd, NULL) ? -errno : 0;
}

static void slot_close(struct load *load, struct load_slot *s)
{
	int64_t start = now_ns();

	close(s->fd);
	load->took_ns = now_ns() - start;
	s->fd = -1;
}

int load_close(struct load *load, int slot)
{
	struct load_slot *s = &load->slot[slot];
	int err = 0;

	pthread_rwlock_wrlock(&s->lock);
	/* vhost has the queue, too, and may have it for longer. */
	if (!(s->stops & 1))
		err = load_vhost_clear(load, slot);
	if (!err && !s->guest_reads)
		err = load_unwatch(load, s->fd);
	pthread_mutex_lock(&load->numbers);
	slot_close(load, s);
	if (!err)
		err = load_vhost_clear(load, slot);
	load->taken[s->number] = false;
	pthread_mutex_unlock(&load->numbers);
	s->state = SLOT_CLOSED;
	pthread_rwlock_unlock(&s->lock);
	return err;
}

static int slot_queue(struct load *load, int slot, int what,
		      enum slot_state state)
{
	struct load_slot *s = &load->slot[slot];
	int64_t start;
	int err;

	pthread_rwlock_rdlock(&s->lock);
	start = now_ns();
	err = tun_queue(s->fd, what);
	load->took_ns = now_ns() - start;
	pthread_rwlock_unlock(&s->lock);
	if (!err)
		s->state = state;
	return err;
}

int load_detach(struct load *load, int slot)
{
	return slot_queue(load, slot, IFF_DETACH_QUEUE, SLOT_DISABLED);
}

int load_attach(struct load *load, int slot)
{
	return slot_queue(load, slot, IFF_ATTACH_QUEUE, SLOT_ACTIVE);
}

/*
 * With IFF_BACKPRESSURE packets wait there: for each queue one that has room for
 * all that may be under way.
 */
static int add_qdiscs(struct load *load)
{
	int i, err = qdisc_set(load->index, TC_H_ROOT, HANDLE, "mq", 0);

	for (i = 1; !err && i <= load->queues; i++)
		err = qdisc_set(load->index, HANDLE | i, 0, "pfifo",
				load->window + LOAD_SENDERS);
	return err;
}

static int device_start(struct load *load, uint32_t txqlen)
{
	int err, i;

	for (i = 0; i < load->queues; i++) {
		err = load_open(load, i);
		if (err)
			return err;
	}
	for (i = 0; load->vhosts && i < load->queues; i++) {
		err = load_vhost_open(load, i);
		if (err)
			return err;
	}
	load->index = tun_index(load->slot[0].fd);
	err = link_set_u32(load->index, IFLA_TXQLEN, txqlen);
	if (!err && load->window && (load->flags & IFF_BACKPRESSURE))
		err = add_qdiscs(load);
	return err ? err : link_up(load->index, true);
}

/* A device whose program sends on what is written to it. */
static int source_open(struct load *load)
{
	int fd = tun_create("source", TAP_NOPI);
	int err;

	if (fd < 0)
		return fd;
	err = link_up(tun_index(fd), true);
	if (!err)
		err = bpf_give_redirect(tun_index(fd), load->index);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int sender_start(struct load *load, int id)
{
	struct load_sender *sender = &load->sender[id];
	int one = 1;

	sender->load = load;
	sender->id = id;
	/* A packet that finds the transmit queue stopped would go uncounted. */
	sender->direct = (load->direct || (id & 1)) &&
			 !(load->flags & IFF_BACKPRESSURE);
	sender->sock = packet_socket(load->index, 0);
	if (sender->sock < 0)
		return sender->sock;
	sender->source = -1;
	if (load->frames && !id) {
		sender->source = source_open(load);
		if (sender->source < 0)
			return sender->source;
	}
	if (sender->direct && setsockopt(sender->sock, SOL_PACKET,
					 PACKET_QDISC_BYPASS, &one,
					 sizeof(one)))
		return -errno;
	return -pthread_create(&sender->thread, NULL, sender_main, sender);
}

/* Who wants to write is not kept out by those who read in turns. */
static void rwlock_init(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr,
		PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attr);
}

/*
 * Another length of the rings. While the stack changes it, it throws packets
 * away that no counter shows: none is sent meanwhile.
 */
int load_resize(struct load *load, uint32_t txqlen)
{
	int err;

	pthread_rwlock_wrlock(&load->sending);
	err = link_set_u32(load->index, IFLA_TXQLEN, txqlen);
	pthread_rwlock_unlock(&load->sending);
	return err;
}

/* A window of 0: there is no traffic. */
int load_start(struct load *load, int flags, int queues, uint32_t txqlen,
	       int window, bool direct)
{
	int err, i;

	memset(load, 0, sizeof(*load));
	load->frames = flags & LOAD_FRAMES;
	load->sockets = flags & LOAD_SOCKETS;
	load->packed = flags & LOAD_PACKED;
	load->vhosts = flags & LOAD_VHOST;
	flags &= ~(LOAD_FRAMES | LOAD_SOCKETS | LOAD_PACKED | LOAD_VHOST);
	load->flags = flags | IFF_NO_PI | IFF_MULTI_QUEUE;
	load->queues = queues;
	load->window = window;
	load->room = window;
	load->direct = direct;
	pthread_mutex_init(&load->lock, NULL);
	pthread_mutex_init(&load->numbers, NULL);
	pthread_mutex_init(&load->seen, NULL);
	pthread_cond_init(&load->progress, NULL);
	rwlock_init(&load->sending);
	for (i = 0; i < MAX_QUEUES; i++) {
		load->slot[i].fd = -1;
		rwlock_init(&load->slot[i].lock);
		pthread_mutex_init(&load->slot[i].change, NULL);
	}
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	load->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = load_watch(load, WAKE, load->wake);
	if (!err)
		err = device_start(load, txqlen);
	if (!err)
		err = -pthread_create(&load->reader, NULL, reader_main, load);
	while (!err && window && load->senders < LOAD_SENDERS)
		err = sender_start(load, load->senders++);
	return err;
}

/* Until all packets are accounted for, or nothing more comes. */
static void settle(struct load *load)
{
	long before;

	do {
		before = load->received;
		if (load->received + read_dropped(load) >= load->sent)
			return;
	} while (!pass(load, 1, SETTLE_MS) || load->received > before);
}

/* Stops the senders, and counts when the last packet has come. */
int load_settle(struct load *load, struct load_result *result)
{
	int i;

	load->stop_senders = true;
	load_resume(load);
	for (i = 0; i < load->senders; i++) {
		pthread_join(load->sender[i].thread, NULL);
		close(load->sender[i].sock);
		if (load->sender[i].source >= 0)
			close(load->sender[i].source);
	}
	settle(load);
	result->sent = load->sent;
	result->received = load->received;
	result->dropped = read_dropped(load);
	result->reordered = load->reordered;
	result->uncounted = result->sent - result->received - result->dropped;
	return 0;
}

int load_stop(struct load *load)
{
	int i, err;

	load->stop_reader = true;
	err = wake_reader(load);
	if (err)
		return err;
	pthread_join(load->reader, NULL);
	for (i = 0; i < load->queues; i++) {
		if (load->slot[i].fd >= 0)
			close(load->slot[i].fd);
		vhost_close(&load->slot[i].vhost);
	}
	close(load->epoll);
	close(load->wake);
	return 0;
}

void load_report(struct load *load, const struct load_result *result,
		 const char *what)
{
	long i;

	printf("# %s: sent %ld, read %ld, counted as dropped %ld, lost unseen %ld, reordered %ld\n",
	       what, result->sent, result->received, result->dropped,
	       result->uncounted, result->reordered);
	for (i = 0; i < load->reordered && i < LOAD_LATE; i++)
		printf("#   flow %u: %u read on %d after %u on %d\n",
		       load->late[i].flow, load->late[i].number,
		       load->late[i].slot, load->late[i].newest,
		       load->late[i].newest_slot);
	fflush(stdout);
}
