/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device's filter or steering program: given, replaced and taken away while
 * packets run it.
 *
 *	packet()	rust/driver/filter.rs: pass; rust/net/bpf.rs: ProgSlot::run, in an
 *			RCU read-side section
 *	changer()	ioctls under RTNL, and the end of the device: ProgSlot::set and
 *			drop, Prog::drop
 *
 * RCU is what it guarantees: what was let go is freed once each section has ended that
 * ran then.
 *
 * Checked: nobody runs a program that is freed; none is freed twice, and none left;
 * while one takes another's place no packet gets by without any.
 */

#ifndef NPACKETS
#define NPACKETS	2
#endif
#ifndef CALLS
#define CALLS		3
#endif
#ifndef OPS
#define OPS		4
#endif
#define PROGRAMS	(OPS + 2)

byte slot;			/* which program; 0 is none */
bit freed[PROGRAMS];
byte waited_for[PROGRAMS];	/* by who frees it: a bit for each section */
bit leaving[PROGRAMS];
byte sections;			/* a bit for each that runs */
byte made;

/* What the test knows. */
byte without;			/* how often there was to be none */
bit kept[NPACKETS];		/* there was to be one ever since the packet came */

inline leave()
{
	d_step {
		sections = sections & ~(1 << me);
		i = 1;
		do
		:: i < PROGRAMS ->
			waited_for[i] = waited_for[i] & ~(1 << me);
			if
			:: leaving[i] && waited_for[i] == 0 ->
				leaving[i] = 0;
				freed[i] = 1
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

proctype packet(byte me)
{
	byte calls, prog, i;

	do
	:: calls == CALLS -> break
	:: calls < CALLS ->
		calls++;
		atomic {
#ifndef BUG_NO_SECTION
			sections = sections | (1 << me);
#endif
			kept[me] = without == 0
		}
#ifdef BUG_LOAD_TWICE
		if
		:: slot != 0 -> prog = slot; assert(prog != 0)
		:: else
		fi;
#else
		prog = slot;
#endif
		if
		:: prog != 0 ->
			assert(!freed[prog]);
			assert(!freed[prog])
		:: else -> assert(!kept[me])
		fi;
		prog = 0;
		leave()
	od
}

/* The reference of a program that is in no slot any more. */
inline release(p)
{
	d_step {
		assert(!freed[p] && !leaving[p]);
		if
#ifndef BUG_FREE_AT_ONCE
		:: sections != 0 -> leaving[p] = 1; waited_for[p] = sections
#endif
		:: else -> freed[p] = 1
		fi
	}
}

/* It runs whenever it likes: RTNL has one at a time. */
inline swap(p)
{
#ifdef BUG_RELEASE_BEFORE_SWAP
	old = slot;
	if
	:: old != 0 -> release(old)
	:: else
	fi;
	slot = p;
#elif defined(BUG_NONE_BETWEEN)
	d_step { old = slot; slot = 0 }
	if
	:: old != 0 -> release(old)
	:: else
	fi;
	slot = p;
#else
	d_step { old = slot; slot = p }
	if
	:: old != 0 -> release(old)
	:: else
	fi;
#endif
	old = 0
}

inline forget_kept()
{
	i = 0;
	do
	:: i < NPACKETS -> kept[i] = 0; i++
	:: else -> break
	od;
	i = 0
}

proctype changer()
{
	byte ops, old, i;

	do
	:: ops == OPS -> break
	:: ops < OPS && made < PROGRAMS - 1 ->
		ops++;
		made++;
		swap(made);
		without = 0
	:: ops < OPS ->
		ops++;
		d_step { without = 1; forget_kept() }
		swap(0)
	od;
	/* The device goes when no packet comes to it any more. */
	sections == 0 && _nr_pr <= 3;
#ifndef BUG_NOT_DROPPED
	swap(0)
#endif
}

/* Runs when nothing else can. */
proctype judge()
{
	byte i;

end:
	timeout;
	i = 1;
	do
	:: i <= made -> assert(freed[i]); i++
	:: else -> break
	od
}

init {
	byte n;

	atomic {
		without = 1;
		run judge();
		run changer();
		do
		:: n < NPACKETS -> run packet(n); n++
		:: else -> break
		od
	}
}
