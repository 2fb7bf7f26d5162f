#compdef hark
# Completion of hark for zsh. Put it as _hark into a folder of $fpath;
# "hark completion zsh" prints it.
_hark() {
	local line word about files=
	local -a found open
	while IFS= read -r line; do
		if [[ $line == :files ]]; then
			files=1
			continue
		fi
		word=${line%%$'\t'*}
		about=${line#*$'\t'}
		if [[ $word == *= ]]; then
			open+=("${word//:/\\:}${about:+:$about}")
		else
			found+=("${word//:/\\:}${about:+:$about}")
		fi
	done < <("${words[1]}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)
	if (( ${#found} )); then
		_describe -t hark hark found
	fi
	if (( ${#open} )); then
		_describe -t hark hark open -S ''
	fi
	if [[ -n $files ]]; then
		_files
	fi
}
if [[ ${funcstack[1]} == _hark ]]; then
	_hark "$@"
else
	compdef _hark hark
fi
