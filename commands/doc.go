// Package commands is the user interface: the command line, messages and exit codes.
// This package has the list of services and the tree of commands. No other package
// imports it. Below it is a folder for each noun, with a file for each verb:
//
//	commands
//	  ├─ octave drogue doshii connect   one service each: its commands and its stream.Service
//	  ├─ doctor config play emulate help   range over the list of services, which they are given
//	  ├─ serve
//	  │
//	  ├→ complete    names of resources of a service, for completion
//	  ├→ stream      what all streams share, and what a Service is
//	  ├→ settings    the configuration file on command lines
//	  ├→ listen      what servers share
//	  ├→ program     one run of hark: environment, stderr, signals, credentials
//	  └→ ending      exit codes, hints, and the end of a command
//
// Each imports only packages below it. The folders of services and of verbs do not
// import each other; what a verb needs of a service is a field of stream.Service.
//
// The rules of the user interface:
//
//   - stdout carries data, nothing else. Everything else goes to stderr, through
//     console.Printer, which removes every credential that it knows.
//   - A line on stderr begins with "hark: "; then, where it is one, "warning: ",
//     "error: " or "hint: ". It is lower case and ends without a full stop.
//   - When stderr is not a terminal, only warnings, errors and requested output
//     (-v) appear.
//   - Errors of other packages say what failed. What to do about it is added here, as a
//     hint: in ending for failures that every service has, in the folder of the service
//     for its own.
//   - Exit codes are chosen in ending and nowhere else.
//   - Usage errors are found before hark connects.
//
// A stream is a value, stream.Streaming: it checks its flags, and opens the service
// that they describe. The command then streams, doctor examines the connection, and
// "config check" stops before.
package commands
