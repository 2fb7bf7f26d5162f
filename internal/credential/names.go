// Package credential knows what contains a credential: which names of headers, of
// parameters of a query and of JSON members, which subprotocols, which commands of
// chat protocols. Whatever warns, withholds, saves or forgets asks it, so that all
// agree. It also opens the references by which a user says where a credential is.
package credential

import (
	"slices"
	"strings"
	"unicode"

	"github.com/hark-cli/hark/internal/pattern"
)

// Header reports whether the values of a header are credentials, by its name. What a
// server asks for (WWW-Authenticate) is none, nor are the headers of the handshake;
// for Sec-WebSocket-Protocol see Subprotocols.
func Header(name string) bool {
	lower := strings.ToLower(name)
	return !strings.HasPrefix(lower, "sec-websocket-") && !strings.HasSuffix(lower, "-authenticate") &&
		(named(name) || hasWord(name, "code"))
}

// Query reports whether the value of a parameter of an address is a credential, by its
// name, decoded. A code is one if it is long: others are numbers of ordinary things.
func Query(name, value string) bool {
	return named(name) || hasWord(name, "code") && len(value) >= shortestPart
}

// Member reports whether the value of a JSON member is a credential, by its name. It
// is stricter than Query: key, code and signal are names of ordinary data.
func Member(name string) bool {
	words := wordsOf(name)
	for i, w := range words {
		switch {
		case slices.Contains(secretWords, w):
			return true
		case w == "key" || w == "keys" || w == "code":
			if i > 0 && slices.Contains(keyWords, words[i-1]) {
				return true
			}
		}
	}
	return within().MatchString(name) || strings.EqualFold(name, "sign")
}

// named reports whether a name of a header or a parameter has a word that makes its
// value a credential. These names are short, and more words count than for a member.
func named(name string) bool {
	return within().MatchString(name) || slices.ContainsFunc(wordsOf(name), func(w string) bool {
		return slices.Contains(secretWords, w) || slices.Contains(shortWords, w) || strings.HasSuffix(w, "auth") ||
			slices.ContainsFunc(keyWords, func(k string) bool { return w == k+"key" || w == k+"code" })
	})
}

// shortWords are credentials when they are a word of the name of a header or a
// parameter, besides secretWords.
var shortWords = []string{"key", "keys", "sigs", "signatures", "sessions", "sessid", "sessionkey", "license", "licence", "identity", "authid"}

// within finds words that are credentials wherever they stand in a name.
var within = pattern.Lazy(`(?i)token|secret|passw|passphrase|passcode|credential|api_?key|authoriz|authent|jwt|bearer|cookie`)

// secretWords are credentials when they are a word of a name.
var secretWords = []string{
	"auth", "token", "tok", "secret", "pass", "pwd", "pw", "pin", "otp", "totp", "sid", "psk", "cred", "creds", "sig",
	"signature", "session", "sessionid", "ticket", "bearer", "jwt",
}

// keyWords make a credential of a key or code that they stand before.
var keyWords = []string{"api", "access", "private", "secret", "auth", "session", "listen", "shared", "signing", "encryption", "pass", "master", "admin"}

func hasWord(name string, words ...string) bool {
	return slices.ContainsFunc(wordsOf(name), func(w string) bool { return slices.Contains(words, w) })
}

// wordsOf takes a name apart: access-token, accessToken and ACCESS_TOKEN have the same
// two words.
func wordsOf(name string) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	lower := false
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			lower = false
			continue
		case unicode.IsUpper(r) && lower:
			end()
		}
		lower = unicode.IsLower(r)
		word.WriteRune(unicode.ToLower(r))
	}
	end()
	return words
}

// Subprotocols returns the credentials in a list of subprotocols, as services take them
// from browsers, which can set no header: behind a word that says so
// (base64url.bearer.authorization.k8s.io.TOKEN, openai-insecure-api-key.KEY), as the
// next of the list (bearer, TOKEN), or with a form that names do not have.
func Subprotocols(list []string) []string {
	var found []string
	next := false // the one before says that a credential follows
	for _, s := range list {
		if next {
			found = append(found, s)
		}
		next = false
		marks := subprotocolMark().FindAllStringIndex(s, -1)
		if len(marks) == 0 {
			for part := range strings.SplitSeq(s, ".") {
				if tokenForm(part) {
					found = append(found, part)
				}
			}
			continue
		}
		rest := strings.TrimLeft(s[marks[len(marks)-1][1]:], "-._~:=")
		if rest == "" {
			next = len(marks) > 0
			continue
		}
		found = append(found, rest)
		if i := strings.LastIndexByte(rest, '.'); i >= 0 && len(rest)-i > shortestPart {
			found = append(found, rest[i+1:])
		}
	}
	return found
}

// subprotocolMark matches a word of a subprotocol behind which its credential stands.
var subprotocolMark = pattern.Lazy(`(?i)(^|[-._~])(bearer|basic|authorization|auth|(access[-_]?)?token|api[-_]?key|jwt|secret|ticket|password|credential|session|header)(\b|_|$)`)

// shortestPart is the length of a part that is looked for by itself, too.
const shortestPart = 8

// tokenForm reports whether a word looks generated by a machine: long, of letters in
// both cases and digits.
func tokenForm(s string) bool {
	return len(s) >= 20 && strings.ContainsFunc(s, unicode.IsUpper) && strings.ContainsFunc(s, unicode.IsLower) &&
		strings.ContainsFunc(s, unicode.IsDigit)
}
