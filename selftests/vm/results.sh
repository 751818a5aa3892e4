# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2154  # ktap and limit are set by who sources this
#
# Running programs that speak KTAP, in the guest, and counting what they said, on
# the host. $ktap is where their output is kept, $limit how long one may take.

# report RESULT NODE TEST START: one line, with the time since START.
report() {
	local tenths=$(((${EPOCHREALTIME/./} - $4) / 100000))

	printf '%-5s %-7s %s (%d.%d s)\n' "$1" "$2" "$3" $((tenths / 10)) $((tenths % 10))
}

# read_ktap NODE PROGRAM: turn KTAP into our lines; what a failed test said
# follows its line. Fails if the number of results is not the planned one.
read_ktap() {
	local line start=${EPOCHREALTIME/./} said='' plan='' count=0 result
	local re='^(not )?ok [0-9]+( -)? ?([^#]*[^# ])? ?(# *([A-Z]+).*)?$'

	while IFS= read -r line; do
		if [[ $line =~ ^1\.\.([0-9]+) ]]; then
			plan=${BASH_REMATCH[1]}
			((plan)) || report skip "$1" "$2: ${line#*SKIP }" "$start"
		elif [[ $line =~ $re ]]; then
			result=ok
			case ${BASH_REMATCH[1]}:${BASH_REMATCH[5]} in
			*:SKIP) result=skip ;;
			*:XFAIL) result=xfail ;;
			'not :'*) result=FAIL ;;
			esac
			report "$result" "$1" "$2: ${BASH_REMATCH[3]:-${BASH_REMATCH[4]}}" "$start"
			[[ $result != FAIL ]] || printf '%s' "$said"
			count=$((count + 1)) said='' start=${EPOCHREALTIME/./}
		else
			said+="        $line"$'\n'
		fi
	done
	[[ $count == "$plan" ]] && return
	echo "        planned ${plan:-no} tests, $count ended"
	printf '%s' "$said" | tail -n 20
	return 1
}

# run_program NODE PROGRAM COMMAND...: with its output kept as it was in $ktap.
run_program() {
	local node=$1 program=$2 start=${EPOCHREALTIME/./} log=$ktap/$1-${3##*/}.ktap
	local statuses

	shift 2
	set +e
	timeout --kill-after=5 "$limit" "$@" 2>&1 </dev/null |
		tee "$log" | read_ktap "$node" "$program"
	statuses=("${PIPESTATUS[@]}")
	set -e
	[[ ${1##*/} == "$program" ]] || program+=": ${1##*/}"
	if ((statuses[0] == 124)); then
		report FAIL "$node" "$program: ended after its limit of $limit s" "$start"
	elif ((statuses[0] > 4)); then
		report FAIL "$node" "$program: exited with status ${statuses[0]}" "$start"
	elif ((statuses[2])); then
		report FAIL "$node" "$program: its plan" "$start"
	elif ((statuses[0])) && ! grep -qE '^not ok|# SKIP' "$log"; then
		report FAIL "$node" "$program: exited with status ${statuses[0]}" "$start"
	fi
}

# run_plain NODE PROGRAM COMMAND...: one that has an exit status only.
run_plain() {
	local node=$1 program=$2 start=${EPOCHREALTIME/./} log=$ktap/$1-${3##*/}.log
	local status=0

	shift 2
	timeout --kill-after=5 "$limit" "$@" >"$log" 2>&1 </dev/null || status=$?
	case $status in
	0) report ok "$node" "$program: exited with status 0" "$start" ;;
	4) report skip "$node" "$program: $(tail -n 1 "$log")" "$start" ;;
	*)
		report FAIL "$node" "$program: exited with status $status" "$start"
		tail -n 20 "$log" | sed 's/^/        /'
		;;
	esac
}

# check NODE NAME CMD...: a command as a test of its own.
check() {
	local node=$1 name=$2 start=${EPOCHREALTIME/./} result=ok

	shift 2
	"$@" || result=FAIL
	report "$result" "$node" "$name" "$start"
	[[ $result == ok ]]
}

# table: one row for each program: what passed, was expected to fail, failed and was
# skipped on the in-tree driver, on rtun, and on rtun in its place if that was tested.
table() {
	awk '
	function cell(c) {
		return c in seen ? sprintf("%4d %4d %4d %4d", ok[c], xfail[c], fail[c], skip[c]) : \
			sprintf("%4s %4s %4s %4s", "-", "-", "-", "-")
	}
	BEGIN { columns = split("tun rtun drop-in", nodes); width = 24 }
	$1 ~ /^(ok|xfail|FAIL|skip)$/ && $2 ~ /^(tun|rtun|drop-in)$/ && $3 ~ /:$/ {
		program = substr($3, 1, length($3) - 1)
		if (!(program in rows)) { rows[program]; order[++n] = program }
		if (length(program) > width) width = length(program)
		c = $2 SUBSEP program
		seen[c]
		if ($1 == "ok") ok[c]++; else if ($1 == "xfail") xfail[c]++
		else if ($1 == "FAIL") fail[c]++; else skip[c]++
		if ($2 == nodes[3]) dropped_in = 1
	}
	END {
		if (!dropped_in) columns = 2
		title["tun"] = "tun"; title["rtun"] = "rtun"; title["drop-in"] = "rtun as tun.ko"
		left = "%-" width "s"
		head = sprintf("\n" left, ""); names = sprintf(left, "program")
		for (j = 1; j <= columns; j++) {
			head = head sprintf(" | %-19s", title[nodes[j]])
			names = names sprintf(" | %4s %4s %4s %4s", "pass", "xfl", "fail", "skip")
		}
		print head; print names
		for (i = 1; i <= n; i++) {
			line = sprintf(left, order[i])
			for (j = 1; j <= columns; j++)
				line = line " | " cell(nodes[j] SUBSEP order[i])
			print line
		}
	}' "$results"
}

# count RESULT [NODE]: how many lines of the file have it.
count() {
	grep -cE "^($1) +(${2:-tun|rtun|drop-in}) " "$results" || true
}

# closing STATUS END: the numbers of $results, alone on the last line. A guest that
# died, hung, splatted or did not say END at last is a failure beside those of the
# tests.
closing() {
	local failed

	failed=$(count FAIL)
	if (($1)); then
		echo "the guest's run failed with status $1"
		failed=$((failed + 1))
	elif ! grep -qx "$2" "$results"; then
		echo "the guest's run did not come to its end"
		failed=$((failed + 1))
	fi
	printf '\n%d passed, %d failed, %d skipped\n' "$(count 'ok|xfail')" "$failed" "$(count skip)"
	((failed == 0))
}
