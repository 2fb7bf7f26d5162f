// Package cmdline implements the command line of hark: the tree of commands, parsing,
// help, completion, and the description from which the manual is generated. It is the
// only package that imports urfave/cli, which gets one command at a time, with its
// flags:
//
//	argv ─ parse ─▶ Line ─ environment, settings, number of arguments ─▶ library ─▶ Run
//	                 └─ --help, --help-all, --version: answered here, the library is not run
//
// Why the parts of the library are not used:
//
//   - parse: the library does not accept flags after arguments, and accepts --flag=value
//     of a command only behind its name.
//   - Flag and Value: the library's flags print help on stdout when one is missing, set
//     an alias twice, split lists at commas, and say what is wrong with a value only
//     in words.
//   - Line: the order of flag, environment, profile and default, how each value was
//     given, and what follows "--" are known here and nowhere in the library.
//   - help: examples come first, rare flags are named only, and nothing that was not
//     asked for goes to stdout.
//   - suggest: the library has poor suggestions, and does not know what other
//     programs call a flag.
//   - complete: one implementation for all shells, which knows values and names, too.
//   - Commands are made when they are needed, and may be made for a name that is typed
//     (Command.Open): their flags, help and completion are like those of all others.
package cmdline
