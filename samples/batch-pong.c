// SPDX-License-Identifier: GPL-2.0-only
/*
 * batch-pong: a TUN program that reads and writes many packets a system call.
 * It answers every ping, as simple-tun does, and says when one read() had more
 * packets than any before.
 *
 *	batch-pong [-d NODE] [NAME]		(default: /dev/net/rtun, tun%d)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ifname.h"
#include "pong.h"
#include "rtun.h"

static int open_tun(const char *node, struct ifreq *ifr)
{
	struct rtun_batch batch = { .version = RTUN_BATCH_V1 };
	int fd = open(node, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	ifr->ifr_flags = IFF_TUN | IFF_NO_PI;
	if (ioctl(fd, RTUN_SETBATCH, &batch) || ioctl(fd, TUNSETIFF, ifr)) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Makes the replies where the packets are, and moves their frames together:
 * how many bytes of frames are to be written.
 */
static size_t answer(unsigned char *buf, size_t len, unsigned long *packets)
{
	const struct rtun_frame *frame;
	size_t at, size, kept = 0;

	for (at = 0; at < len; at += size) {
		frame = (const struct rtun_frame *)(buf + at);
		size = frame->size;
		++*packets;
		if (!(frame->flags & RTUN_FRAME_CUT) &&
		    make_reply(buf + at + frame->offset, frame->len)) {
			memmove(buf + kept, buf + at, size);
			kept += size;
		}
	}
	return kept;
}

/*
 * A short count says that the next frame was refused. If that was for what is in
 * it, it is left out; if it was not, the next ones would fare no better.
 */
static void write_all(int fd, const unsigned char *buf, size_t len)
{
	size_t at = 0;
	ssize_t ret;

	while (at < len) {
		ret = write(fd, buf + at, len - at);
		if (ret < 0) {
			perror("write");
			if (errno != EINVAL)
				return;
			ret = ((const struct rtun_frame *)(buf + at))->size;
		}
		at += ret;
	}
}

int main(int argc, char **argv)
{
	static alignas(8) unsigned char buf[256 << 10];
	unsigned long packets, most = 1;
	const char *node = "/dev/net/rtun", *name;
	struct ifreq ifr = {};
	ssize_t len;
	int fd, opt;

	while ((opt = getopt(argc, argv, "d:")) != -1) {
		if (opt != 'd') {
			fputs("usage: batch-pong [-d NODE] [NAME]\n", stderr);
			return 2;
		}
		node = optarg;
	}
	name = argc > optind ? argv[optind] : "tun%d";
	if (set_ifname(&ifr, name)) {
		perror(name);
		return 1;
	}
	fd = open_tun(node, &ifr);
	if (fd < 0) {
		perror(node);
		return 1;
	}
	printf("ready %s\n", ifr.ifr_name);
	fflush(stdout);

	while ((len = read(fd, buf, sizeof(buf))) >= 0) {
		packets = 0;
		write_all(fd, buf, answer(buf, len, &packets));
		if (packets > most) {
			most = packets;
			printf("%lu packets in one read\n", most);
			fflush(stdout);
		}
	}
	perror("read");
	return 1;
}
