// Package commands is all that a user types or reads: the command line, its messages,
// its exit codes. This package puts it together: it has the list of services, and the
// tree of commands. Nothing below imports it. Below it is a folder for each noun, with
// a file for each verb:
//
//	commands
//	  ├─ octave drogue doshii connect   a service each: its commands and its stream.Service
//	  ├─ doctor config play emulate help   range over the list of services, which they are given
//	  ├─ serve
//	  │
//	  ├→ complete    names at a service, for completion
//	  ├→ stream      what all streams share, and what a Service is
//	  ├→ settings    the configuration file on command lines
//	  ├→ listen      what servers share
//	  ├→ program     one run of hark: environment, stderr, signals, credentials
//	  └→ ending      exit codes, advice, and the end of a command
//
// Each imports only what is below it. The folders of services and of verbs do not know
// each other; whatever a verb needs to know of a service is a field of stream.Service.
//
// The rules of the user interface:
//
//   - stdout carries data, nothing else. Everything else goes to stderr, through
//     console.Printer, which withholds every credential that it knows.
//   - A line on stderr begins with "hark: "; then, where it is one, "warning: ",
//     "error: " or "hint: ". It is lower case and ends without a full stop.
//   - When stderr is no terminal, only warnings, errors and what was asked for
//     (-v) appear.
//   - Errors from inside say what failed. What to do about it is added here, as a
//     hint: in ending for failures that every service has, in the folder of the service
//     for its own.
//   - Exit codes are chosen in ending and nowhere else.
//   - Bad input is found before anything is dialed.
//
// A stream is a value, stream.Streaming: its flags are checked, the service that they
// describe is opened, and then it is the business of anyone who has it. The command
// streams, doctor examines, and "config check" stops in time.
package commands
