// SPDX-License-Identifier: GPL-2.0-only
/*
 * udp-flows: sends several UDP flows from one network namespace to another and
 * checks by sequence numbers that each arrives complete and in order.
 *
 *	udp-flows [-e] [-f FLOWS] [-r RATE] [-t SECONDS] [-l BYTES] [-p PORT]
 *		  FROM-NETNS TO-NETNS ADDRESS
 *
 * RATE is in packets a second and flow. -e sends each packet back and checks
 * the way back too. -t 0 sends until SIGTERM. Prints "running" when every flow
 * has delivered a packet, and at the end a line a direction:
 *	forward|back sent N received N lost N reordered N duplicated N
 * Exit status: 0 complete and in order, 1 order broken, 3 only losses, 2 error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FLOWS	256
#define MAX_SEQ		1048576
#define MAX_LEN		1400
#define MAGIC		0x72746e66
#define NSEC		1000000000LL
/* A packet that has not come this long after the last one is lost. */
#define IDLE_MS		1500

struct packet {
	unsigned int magic;
	unsigned int flow;
	unsigned int seq;
};

struct flow {
	unsigned int next;
	unsigned long sent;
	unsigned long received;
	unsigned long reordered;
	unsigned long duplicated;
	/* One bit a sequence number. */
	unsigned char *seen;
};

struct direction {
	const char *name;
	struct flow flows[MAX_FLOWS];
	struct pollfd fds[MAX_FLOWS + 1];
	unsigned int nr_fds;
	unsigned int nr_started;
	unsigned long received;
	unsigned long sent;
	unsigned long foreign;
	int done_fd;
	/* Where packets are sent back, or NULL. */
	struct direction *echo;
	pthread_t thread;
};

static struct direction forward = { .name = "forward" };
static struct direction back = { .name = "back" };
static unsigned int nr_flows = 8;
static unsigned int rate = 300;
static unsigned int length = 200;
static atomic_bool stopped;

static void die(const char *what)
{
	fprintf(stderr, "udp-flows: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void on_signal(int sig)
{
	(void)sig;
	stopped = true;
}

static void enter_netns(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static int open_socket(int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int size = 4 << 20;

	if (fd < 0)
		die("socket");
	/* The test is about the network, not about this program's speed. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		die("SO_RCVBUFFORCE");
	return fd;
}

static void open_sockets(char **names, const char *port)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_DGRAM,
	};
	struct addrinfo *to;
	unsigned int i;
	int fd;

	if (getaddrinfo(names[2], port, &hints, &to))
		die(names[2]);

	enter_netns(names[1]);
	fd = open_socket(to->ai_family);
	if (bind(fd, to->ai_addr, to->ai_addrlen))
		die("bind");
	forward.fds[forward.nr_fds++].fd = fd;

	enter_netns(names[0]);
	for (i = 0; i < nr_flows; i++) {
		fd = open_socket(to->ai_family);
		if (connect(fd, to->ai_addr, to->ai_addrlen))
			die("connect");
		back.fds[back.nr_fds++].fd = fd;
	}
	freeaddrinfo(to);
}

static bool check(struct direction *d, const struct packet *p, ssize_t len)
{
	struct flow *f;

	if (len != (ssize_t)length || p->magic != MAGIC ||
	    p->flow >= nr_flows || p->seq >= MAX_SEQ) {
		d->foreign++;
		return false;
	}

	f = &d->flows[p->flow];
	if (f->seen[p->seq / 8] & (1 << (p->seq % 8))) {
		f->duplicated++;
		return false;
	}
	f->seen[p->seq / 8] |= 1 << (p->seq % 8);
	if (!f->received++ && ++d->nr_started == nr_flows && d == &forward)
		puts("running");
	d->received++;
	if (p->seq < f->next)
		f->reordered++;
	else
		f->next = p->seq + 1;
	return true;
}

static void drain(struct direction *d, int fd)
{
	union {
		struct packet p;
		char bytes[MAX_LEN];
	} buf;
	struct sockaddr_storage from;
	socklen_t from_len;
	ssize_t len;

	for (;;) {
		from_len = sizeof(from);
		len = recvfrom(fd, &buf, sizeof(buf), MSG_DONTWAIT,
			       (struct sockaddr *)&from, &from_len);
		if (len < 0)
			return;
		if (!check(d, &buf.p, len) || !d->echo)
			continue;
		if (sendto(fd, &buf, len, 0, (struct sockaddr *)&from,
			   from_len) == len) {
			d->echo->flows[buf.p.flow].sent++;
			d->echo->sent++;
		}
	}
}

/* Returns when all has arrived, or when nothing more comes. */
static void *collect(void *arg)
{
	struct direction *d = arg;
	struct pollfd *done = &d->fds[d->nr_fds];
	bool all_sent = false;
	unsigned int i;
	int ready;

	do {
		ready = poll(d->fds, d->nr_fds + 1, all_sent ? IDLE_MS : -1);
		if (!ready)
			break;
		if (ready < 0)
			continue;
		for (i = 0; i < d->nr_fds; i++)
			if (d->fds[i].revents)
				drain(d, d->fds[i].fd);
		if (done->revents) {
			all_sent = true;
			done->fd = -1;
		}
	} while (!all_sent || d->received < d->sent);
	return NULL;
}

static void start(struct direction *d)
{
	unsigned int i;

	for (i = 0; i < nr_flows; i++) {
		d->flows[i].seen = calloc(1, MAX_SEQ / 8);
		if (!d->flows[i].seen)
			die("calloc");
	}
	d->done_fd = eventfd(0, EFD_CLOEXEC);
	if (d->done_fd < 0)
		die("eventfd");
	d->fds[d->nr_fds].fd = d->done_fd;
	for (i = 0; i <= d->nr_fds; i++)
		d->fds[i].events = POLLIN;
	errno = pthread_create(&d->thread, NULL, collect, d);
	if (errno)
		die("pthread_create");
}

static void finish(struct direction *d)
{
	eventfd_write(d->done_fd, 1);
	pthread_join(d->thread, NULL);
}

static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

static void sleep_until(long long when)
{
	struct timespec ts = {
		.tv_sec = when / NSEC,
		.tv_nsec = when % NSEC,
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static void send_all(double seconds)
{
	union {
		struct packet p;
		char bytes[MAX_LEN];
	} buf = { .p.magic = MAGIC };
	long long next = now();
	long long end = next + seconds * NSEC;
	unsigned int seq;

	for (seq = 0; seq < MAX_SEQ && !stopped; seq++) {
		if (seconds && next >= end)
			return;
		buf.p.seq = seq;
		for (buf.p.flow = 0; buf.p.flow < nr_flows; buf.p.flow++) {
			int fd = back.fds[buf.p.flow].fd;

			if (send(fd, &buf, length, 0) != length)
				die("send");
			forward.flows[buf.p.flow].sent++;
			forward.sent++;
		}
		/* Late: go on from here; a burst would not be a low rate. */
		next += NSEC / rate;
		if (next < now())
			next = now();
		sleep_until(next);
	}
}

/* Returns the exit status. */
static int report(struct direction *d)
{
	unsigned long lost = 0, reordered = 0, duplicated = 0;
	unsigned int i;

	for (i = 0; i < nr_flows; i++) {
		struct flow *f = &d->flows[i];

		lost += f->sent - f->received;
		reordered += f->reordered;
		duplicated += f->duplicated;
		if (f->sent != f->received || f->reordered || f->duplicated)
			printf("# %s flow %u: sent %lu received %lu reordered %lu duplicated %lu\n",
			       d->name, i, f->sent, f->received, f->reordered,
			       f->duplicated);
	}
	printf("%s sent %lu received %lu lost %lu reordered %lu duplicated %lu\n",
	       d->name, d->sent, d->received, lost, reordered, duplicated);
	if (d->foreign)
		printf("# %s: %lu packets were not ours\n", d->name, d->foreign);
	if (reordered || duplicated || d->foreign || !d->sent)
		return 1;
	return lost ? 3 : 0;
}

static int worst(int a, int b)
{
	return a == 1 || b == 1 ? 1 : a | b;
}

static int show_usage(void)
{
	fputs("usage: udp-flows [-e] [-f FLOWS] [-r RATE] [-t SECONDS] [-l BYTES] [-p PORT]\n"
	      "                 FROM-NETNS TO-NETNS ADDRESS\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_signal };
	const char *port = "7000";
	bool echo = false;
	double seconds = 3;
	int opt, status;

	while ((opt = getopt(argc, argv, "ef:r:t:l:p:")) != -1) {
		if (opt == 'e')
			echo = true;
		else if (opt == 'f')
			nr_flows = atoi(optarg);
		else if (opt == 'r')
			rate = atoi(optarg);
		else if (opt == 't')
			seconds = atof(optarg);
		else if (opt == 'l')
			length = atoi(optarg);
		else if (opt == 'p')
			port = optarg;
		else
			return show_usage();
	}
	if (argc - optind != 3 || !nr_flows || nr_flows > MAX_FLOWS || !rate ||
	    length < sizeof(struct packet) || length > MAX_LEN)
		return show_usage();

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	open_sockets(argv + optind, port);
	forward.echo = echo ? &back : NULL;
	start(&forward);
	if (echo)
		start(&back);

	send_all(seconds);

	finish(&forward);
	status = report(&forward);
	if (echo) {
		finish(&back);
		status = worst(status, report(&back));
	}
	return status;
}
