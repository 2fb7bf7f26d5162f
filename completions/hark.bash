# Completion of hark for bash. Source it, or put it into
# ~/.local/share/bash-completion/completions/hark; "hark completion bash" prints it.
_hark() {
	local i word glue='' prefix='' line files=''
	local -a words=()
	COMPREPLY=()
	# bash takes words apart at = and :, put them together again.
	for ((i = 1; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ ${#words[@]} -gt 0 && ( $word == [=:]* || -n $glue ) && $i -gt 1 ]]; then
			words[${#words[@]}-1]+=$word
		else
			words+=("$word")
		fi
		glue=
		[[ $word == *[=:] ]] && glue=1
	done
	word=${words[${#words[@]}-1]}
	[[ $word == *[=:]* ]] && prefix=${word%"${word##*[=:]}"}
	while IFS= read -r line; do
		if [[ $line == :files ]]; then
			files=1
			continue
		fi
		line=${line%%$'\t'*}
		COMPREPLY+=("${line#"$prefix"}")
	done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
	if [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *= ]]; then
		compopt -o nospace 2>/dev/null
	fi
	if [[ -n $files ]]; then
		while IFS= read -r line; do
			COMPREPLY+=("$line")
		done < <(compgen -f -- "${word#"$prefix"}")
		compopt -o filenames 2>/dev/null
	fi
}
complete -F _hark hark
