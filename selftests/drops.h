/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reasons that the kernel gives for dropping packets, as its tracepoint
 * tells them. Functions return a value >= 0, or a negative errno.
 */
#ifndef DROPS_H
#define DROPS_H

int drops_start(int proto);
int drops_count(const char *reason);
void drops_stop(void);

#endif /* DROPS_H */
