// SPDX-License-Identifier: GPL-2.0-only
/* rtun's module: see kmod.h. RTUN_KO names its file, RTUN_PARAMS its parameters. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kmod.h"
#include "tun_test.h"

int kmod_unload(void)
{
	return syscall(SYS_delete_module, KMOD_NAME, O_NONBLOCK) ? -errno : 0;
}

/* A namespace that ended a moment ago is taken down by a kernel thread. */
int kmod_unload_when_idle(void)
{
	int err;

	wait_until((err = kmod_unload()) != -EAGAIN);
	return err;
}

int kmod_load_with(const char *params)
{
	const char *path = getenv("RTUN_KO");
	int fd, err;

	if (!path)
		return -EDESTADDRREQ;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, params, 0) ? -errno : 0;
	close(fd);
	return err;
}

int kmod_load(void)
{
	const char *params = getenv("RTUN_PARAMS");

	return kmod_load_with(params ? params : "");
}

bool kmod_loaded(void)
{
	return !access("/sys/module/" KMOD_NAME "/refcnt", F_OK);
}
