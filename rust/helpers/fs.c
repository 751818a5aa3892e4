// SPDX-License-Identifier: GPL-2.0

#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/sched.h>

#include "helpers.h"

void rtun_f_setown_current(struct file *file)
{
	__f_setown(file, task_pid(current), PIDTYPE_TGID, 0);
}

void rtun_file_set_nowait(struct file *file)
{
	file->f_mode |= FMODE_NOWAIT;
}
