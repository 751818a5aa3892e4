/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The gate: rust/net/gate.rs, bit for bit but for the width of the counts.
 *
 *	users()			a read(), write() or poll() of a queue
 *	  enter			Gate::enter: load, look at the state, cmpxchg
 *	  leave			Inside::drop: fetch_sub, wake_up_var
 *	changer()		who holds RTNL, rust/driver/lifecycle.rs
 *	  publish		Gate::publish: load, cmpxchg
 *	  wait_zero		rtun_wait_var_zero_mask(): wait_var_event()
 *	  open, change, close,	Gate::open, Gate::change and Leaving::wait,
 *	  reap			Gate::close, Gate::reap
 *
 * The word's atomic operations have full barriers, so that steps are seen in the
 * order in which they are made.
 *
 * Checked: who is inside has a link, the same all the time; after the wait of a
 * change nobody is inside who entered before it; no count runs over or under; the
 * changer's sleep ends.
 */

/* The word: state, phase, users of phase 1, users of phase 0. */
#define COUNT_BITS	2
#define COUNT_MASK	3
#define USERS		15
#define PHASE		16
#define STATE_SHIFT	5
#define STATE(w)	((w) >> STATE_SHIFT)
#define ONE(phase)	((phase) -> 4 : 1)
#define COUNT(w, phase)	((phase) -> (((w) >> COUNT_BITS) & COUNT_MASK) : ((w) & COUNT_MASK))

#define UNBOUND		0
#define DEAD		1
#define DISABLED	2
#define ACTIVE		3
#define OPEN(state)	((state) >= DISABLED)

#ifndef NUSERS
#define NUSERS		2
#endif
#ifndef CALLS
#define CALLS		3
#endif
#ifndef BINDINGS
#define BINDINGS	2
#endif

byte word;		/* UNBOUND, phase 0, nobody */
byte link;		/* which device; 0 is none */
byte devices;		/* how many there have been */

/* The wait queue of the word's address: has a sleeper, and that sleeps. */
bit queued, asleep;

/* Not in the code: which change each user entered after. */
byte changes;
bit inside[NUSERS];
byte entered[NUSERS];

proctype user(byte me)
{
	byte old, saw, calls;
	bit phase;

	do
	:: calls == CALLS -> break
	:: calls < CALLS ->
		calls++;
		old = word;
retry:
		if
#ifdef BUG_ENTER_CLOSED
		:: STATE(old) == UNBOUND -> goto closed
#else
		:: !OPEN(STATE(old)) -> goto closed
#endif
		:: else
		fi;
#ifdef BUG_ENTER_NO_RECHECK
		atomic {
			phase = (old & PHASE) != 0;
			word = word + ONE(phase);
			inside[me] = 1;
			entered[me] = changes
		}
#else
		atomic {
			if
			:: word == old ->
				phase = (old & PHASE) != 0;
				assert(COUNT(old, phase) < NUSERS);
				word = old + ONE(phase);
				inside[me] = 1;
				entered[me] = changes
			:: else ->
				old = word;
				goto retry
			fi
		}
#endif
		saw = link;
		assert(saw != 0);
		assert(saw == link);
		atomic {
			old = word;
			assert(COUNT(old, phase) > 0);
			word = old - ONE(phase);
			inside[me] = 0
		}
		if
#ifdef BUG_NO_WAKE
		:: false
#elif defined(BUG_WAKE_OWN_PHASE)
		:: ((old & PHASE) != 0) == phase && COUNT(old, phase) == 1 ->
#else
		:: ((old & PHASE) != 0) != phase && COUNT(old, phase) == 1 ->
#endif
			if
			:: queued -> asleep = 0
			:: else
			fi
		:: else
		fi;
closed:
		skip
	od
}

inline publish(new)
{
	old = word;
	do
	:: atomic {
		word == old ->
		old_phase = (old & PHASE) != 0;
#ifdef BUG_NO_FLIP
		word = ((new) << STATE_SHIFT) | (old & PHASE) | (old & USERS);
#else
		word = ((new) << STATE_SHIFT) | ((old & PHASE) ^ PHASE) | (old & USERS);
#endif
		changes++
	   }
	   break
	:: word != old -> old = word
	od
}

/* Sleeps until no bit of mask is set. */
inline wait_zero(mask)
{
	do
	:: true ->
#ifdef BUG_CHECK_BEFORE_PREPARE
		if
		:: (word & (mask)) == 0 -> break
		:: else
		fi;
		atomic { queued = 1; asleep = 1 }
#else
		atomic { queued = 1; asleep = 1 }
		if
		:: (word & (mask)) == 0 -> break
		:: else
		fi;
#endif
		asleep == 0
	od;
	atomic { queued = 0; asleep = 0 }
}

inline nobody_of_before()
{
	d_step {
		i = 0;
		do
		:: i < NUSERS -> assert(!inside[i] || entered[i] == changes); i++
		:: else -> break
		od;
		i = 0
	}
}

inline wait_old()
{
#ifdef BUG_WAIT_NEW_PHASE
	wait_zero(COUNT_MASK << (old_phase -> 0 : COUNT_BITS));
#else
	wait_zero(COUNT_MASK << (old_phase -> COUNT_BITS : 0));
#endif
	nobody_of_before()
}

inline open(state)
{
	wait_zero(USERS);
#ifdef BUG_OPEN_BEFORE_LINK
	publish(state);
	devices++;
	link = devices
#else
	devices++;
	link = devices;
	publish(state)
#endif
}

inline change(state)
{
	publish(state);
#ifndef BUG_NO_WAIT
	wait_old()
#endif
}

inline bind()
{
	open(DISABLED);
	change(ACTIVE)
}

inline close()
{
#ifndef BUG_TAKE_BEFORE_PUBLISH
	publish(DEAD);
#endif
	skip
}

inline reap()
{
#ifndef BUG_REAP_NO_WAIT
	wait_zero(USERS);
#ifndef BUG_TAKE_BEFORE_PUBLISH
	nobody_of_before();
#endif
#endif
	link = 0;
#ifdef BUG_TAKE_BEFORE_PUBLISH
	publish(DEAD);
#endif
	skip
}

proctype changer()
{
	byte old, i, bindings;
	bit old_phase;

	do
	:: bindings == BINDINGS -> break
	:: bindings < BINDINGS ->
		bindings++;
		bind();
		if
		:: change(DISABLED);		/* deactivate */
		   if
		   :: change(ACTIVE)		/* enable */
		   :: true
		   fi
		:: true
		fi;
		close();
		reap()
	od
}

init {
	byte n;

	atomic {
		do
		:: n < NUSERS -> run user(n); n++
		:: else -> break
		od;
		run changer()
	}
}
