// SPDX-License-Identifier: GPL-2.0-only
/* TCP and a mirror: see reflect.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include "reflect.h"
#include "rtnl.h"
#include "tun_test.h"

#define OURS		0x0a090001
#define MIRRORED	0x0a090002
#define PORT		7000
#define SOCKET_BUFFER	65536
#define TICK_MS		50

/* Which flow a packet is of. Ends of connections have no number. */
static struct reflect_flow *flow_of(struct reflect *r, const struct iphdr *ip,
				    const struct tcphdr *tcp)
{
	bool back = tcp->source == htons(PORT);
	uint16_t port = back ? tcp->dest : tcp->source;
	int i;

	if (ip->protocol != IPPROTO_TCP || tcp->syn || tcp->rst)
		return NULL;
	for (i = 0; i < REFLECT_CONNS; i++) {
		struct reflect_flow *flow = &r->flow[back][i];

		if (!flow->port)
			flow->port = port;
		if (flow->port == port)
			return flow;
	}
	return NULL;
}

static void number(struct reflect *r, const struct iphdr *ip,
		   const struct tcphdr *tcp)
{
	struct reflect_flow *flow = flow_of(r, ip, tcp);
	uint16_t id = ntohs(ip->id);
	int16_t ahead;

	if (!flow)
		return;
	ahead = flow->started ? id - flow->next : 0;
	flow->started = true;
	if (ahead >= 0) {
		r->missing += ahead;
		flow->next = id + 1;
	} else {
		r->missing--;
		r->late++;
	}
}

static void mirror_one(struct reflect *r, uint8_t *buf, ssize_t len)
{
	struct tcphdr tcp;
	struct iphdr ip;
	uint32_t addr;

	if (len < (ssize_t)(sizeof(ip) + sizeof(tcp)))
		return;
	memcpy(&ip, buf, sizeof(ip));
	memcpy(&tcp, buf + sizeof(ip), sizeof(tcp));
	if (ip.version != 4)
		return;
	number(r, &ip, &tcp);
	r->packets++;
	addr = ip.saddr;
	ip.saddr = ip.daddr;
	ip.daddr = addr;
	memcpy(buf, &ip, sizeof(ip));
	write_ret(r->back, buf, len);
}

/* Reads the queues in an order that changes. */
static void *mirror_main(void *arg)
{
	struct pollfd pfd[REFLECT_QUEUES];
	struct reflect *r = arg;
	unsigned int first = 1;
	uint8_t buf[2048];
	ssize_t len;
	int i, n;

	for (i = 0; i < REFLECT_QUEUES; i++)
		pfd[i] = (struct pollfd){ r->fd[i], POLLIN, 0 };
	while (!r->stop) {
		poll(pfd, REFLECT_QUEUES, TICK_MS);
		first = first * 1103515245 + 12345;
		for (i = 0; i < REFLECT_QUEUES; i++) {
			int fd = r->fd[((first >> 16) + i) % REFLECT_QUEUES];

			for (n = 0; n < 64; n++) {
				len = read_ret(fd, buf, sizeof(buf));
				if (len < 0)
					break;
				mirror_one(r, buf, len);
			}
		}
		pthread_mutex_lock(&r->lock);
		pthread_cond_broadcast(&r->progress);
		pthread_mutex_unlock(&r->lock);
	}
	return NULL;
}

/* Every client sends what its server reads. */
static void *bulk_main(void *arg)
{
	struct pollfd pfd[2 * REFLECT_CONNS];
	struct reflect *r = arg;
	char buf[16384] = { };
	ssize_t len;
	int i;

	for (i = 0; i < REFLECT_CONNS; i++) {
		pfd[2 * i] = (struct pollfd){ r->client[i], POLLOUT, 0 };
		pfd[2 * i + 1] = (struct pollfd){ r->server[i], POLLIN, 0 };
	}
	while (!r->stop) {
		poll(pfd, 2 * REFLECT_CONNS, TICK_MS);
		for (i = 0; i < REFLECT_CONNS; i++) {
			send(r->client[i], buf, sizeof(buf),
			     MSG_DONTWAIT | MSG_NOSIGNAL);
			len = recv(r->server[i], buf, sizeof(buf),
				   MSG_DONTWAIT);
			if (len > 0)
				r->bytes += len;
		}
	}
	return NULL;
}

static int connect_one(int listener, int *client, int *server)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(MIRRORED),
	};
	int size = SOCKET_BUFFER;

	*client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*client < 0 ||
	    setsockopt(*client, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) ||
	    connect(*client, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	*server = accept(listener, NULL, NULL);
	return *server < 0 ? -errno : 0;
}

static int connect_all(struct reflect *r)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(OURS),
	};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = 0, one = 1, i;

	if (listener < 0 ||
	    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, REFLECT_CONNS))
		return -errno;
	for (i = 0; !err && i < REFLECT_CONNS; i++)
		err = connect_one(listener, &r->client[i], &r->server[i]);
	close(listener);
	return err;
}

/* The way back is a queue of its own, detached, that learns no flow. */
static int device_start(struct reflect *r)
{
	int flags = TUN_NOPI | IFF_MULTI_QUEUE;
	int err;

	err = tun_attach_all("mirror", flags, r->fd, REFLECT_QUEUES);
	if (err)
		return err;
	r->back = tun_create("mirror", flags);
	if (r->back < 0)
		return r->back;
	err = tun_queue(r->back, IFF_DETACH_QUEUE);
	r->index = tun_index(r->back);
	if (!err)
		err = link_set_u32(r->index, IFLA_TXQLEN, 4096);
	if (!err)
		err = link_up(r->index, true);
	return err ? err : addr_add4(r->index, OURS, 24);
}

int reflect_start(struct reflect *r)
{
	int err;

	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->progress, NULL);
	err = device_start(r);
	if (!err)
		err = -pthread_create(&r->mirror, NULL, mirror_main, r);
	if (!err)
		err = connect_all(r);
	return err ? err : -pthread_create(&r->bulk, NULL, bulk_main, r);
}

/* Until that many more packets have been mirrored. */
int reflect_pass(struct reflect *r, long packets)
{
	long target = r->packets + packets;
	struct timespec end;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 2 * WAIT_MS / 1000;
	pthread_mutex_lock(&r->lock);
	while (!err && r->packets < target)
		err = pthread_cond_clockwait(&r->progress, &r->lock,
					     CLOCK_MONOTONIC, &end);
	pthread_mutex_unlock(&r->lock);
	return -err;
}

/* What TCP believes it lost. */
long reflect_retransmitted(struct reflect *r)
{
	struct tcp_info info;
	long sum = 0;
	int i;

	for (i = 0; i < REFLECT_CONNS; i++) {
		socklen_t len = sizeof(info);

		memset(&info, 0, sizeof(info));
		if (getsockopt(r->client[i], IPPROTO_TCP, TCP_INFO, &info,
			       &len))
			return -errno;
		sum += info.tcpi_total_retrans;
	}
	return sum;
}

/* Not a trace of the connection is left for the next test. */
static void reset(int sock)
{
	const struct linger linger = { .l_onoff = 1 };

	setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(sock);
}

void reflect_stop(struct reflect *r)
{
	int i;

	r->stop = true;
	pthread_join(r->bulk, NULL);
	pthread_join(r->mirror, NULL);
	for (i = 0; i < REFLECT_CONNS; i++) {
		reset(r->client[i]);
		reset(r->server[i]);
	}
	tun_close_all(r->fd, REFLECT_QUEUES);
	close(r->back);
}
