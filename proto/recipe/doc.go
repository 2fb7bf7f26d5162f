// Package recipe makes a service of a file: how a WebSocket service is spoken to, as
// data. docs/recipes.md describes the language.
//
//	file ─ Parse ─▶ Recipe ─ Service ─▶ Start ─▶ Handshake ─▶ session
//	          │                 ▲
//	          ▼                 └─ values of the parameters
//	        Errors
//
// The rules:
//
//   - A mistake in a file is found by Parse, before anything is dialed, and is shown with
//     its file, line and column. A key that is not known is a mistake.
//   - A file may be a stranger's, and so may what a server sends: expressions see neither
//     the environment nor files, and are bounded in time, outputs and memory.
//   - What an expression makes of a credential is withheld as a whole.
package recipe
