/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a small BPF program does to all packets that come in by a device, before
 * the stack sees them and while the descriptor returned is open. Functions
 * return a value >= 0, or a negative errno.
 */
#ifndef TCX_H
#define TCX_H

int tcx_redirect(int from, int to);
int tcx_vouch(int index);

#endif /* TCX_H */
