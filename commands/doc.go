// Package commands is all that a user types or reads: the command line, its
// messages, its exit codes. It is the only home of isatty.
//
// The rules of the user interface:
//
//   - stdout carries data, nothing else. Everything else goes to stderr, through
//     printer, which withholds every credential that it knows.
//   - A line on stderr begins with "hark: "; then, where it is one, "warning: ",
//     "error: " or "hint: ". It is lower case and ends without a full stop.
//   - When stderr is no terminal, only warnings, errors and what was asked for
//     (-v) appear.
//   - Errors from inside say what failed. What to do about it is added here, as
//     a hint: in exit.go for failures that every service has, in the service's
//     file for its own.
//   - Exit codes are chosen in exit.go and nowhere else.
//   - Bad input is found before anything is dialled.
//
// A command is a file: its flags, bound to a struct of options, and a function
// that makes a proto.Service of them. What all streams have in common is in
// stream.go.
package commands
