// Package credential recognizes credentials: by names of headers, query parameters and
// JSON members, in subprotocols and in commands of chat protocols. All code that warns
// of, removes or stores credentials uses it, so that it is consistent. It also opens
// the references to credentials that users give.
package credential

import (
	"slices"
	"strings"
	"unicode"

	"github.com/hark-cli/hark/internal/pattern"
)

// Header reports whether the values of a header are credentials, by its name.
// WWW-Authenticate and the headers of the handshake are not; for Sec-WebSocket-Protocol
// see Subprotocols.
func Header(name string) bool {
	lower := strings.ToLower(name)
	return !strings.HasPrefix(lower, "sec-websocket-") && !strings.HasSuffix(lower, "-authenticate") &&
		(named(name) || hasWord(name, "code"))
}

// Query reports whether the value of a parameter of an address is a credential, by its
// name, decoded. A code is one only if it is long.
func Query(name, value string) bool {
	return named(name) || hasWord(name, "code") && len(value) >= shortestPart
}

// Member reports whether the value of a JSON member is a credential, by its name. It is
// stricter than Query: key, code and signal are common names of data.
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

// named reports whether the name of a header or a parameter contains a word that makes
// its value a credential. More words count than for a member.
func named(name string) bool {
	return within().MatchString(name) || slices.ContainsFunc(wordsOf(name), func(w string) bool {
		return slices.Contains(secretWords, w) || slices.Contains(shortWords, w) || strings.HasSuffix(w, "auth") ||
			slices.ContainsFunc(keyWords, func(k string) bool { return w == k+"key" || w == k+"code" })
	})
}

// shortWords indicate a credential as a word of the name of a header or a parameter, in
// addition to secretWords.
var shortWords = []string{"key", "keys", "sigs", "signatures", "sessions", "sessid", "sessionkey", "license", "licence", "identity", "authid"}

// within matches words that indicate a credential anywhere in a name.
var within = pattern.Lazy(`(?i)token|secret|passw|passphrase|passcode|credential|api_?key|authoriz|authent|jwt|bearer|cookie`)

// secretWords indicate a credential as a word of a name.
var secretWords = []string{
	"auth", "token", "tok", "secret", "pass", "pwd", "pw", "pin", "otp", "totp", "sid", "psk", "cred", "creds", "sig",
	"signature", "session", "sessionid", "ticket", "bearer", "jwt",
}

// keyWords indicate that a key or code that follows them is a credential.
var keyWords = []string{"api", "access", "private", "secret", "auth", "session", "listen", "shared", "signing", "encryption", "pass", "master", "admin"}

func hasWord(name string, words ...string) bool {
	return slices.ContainsFunc(wordsOf(name), func(w string) bool { return slices.Contains(words, w) })
}

// wordsOf splits a name: access-token, accessToken and ACCESS_TOKEN have the same two
// words.
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

// Subprotocols returns the credentials in a list of subprotocols, as services accept
// them from browsers, which cannot set headers: after a word that indicates it
// (base64url.bearer.authorization.k8s.io.TOKEN, openai-insecure-api-key.KEY), as the
// next of the list (bearer, TOKEN), or with the form of a token.
func Subprotocols(list []string) []string {
	var found []string
	next := false // the one before indicates a credential
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

// subprotocolMark matches a word of a subprotocol that is followed by a credential.
var subprotocolMark = pattern.Lazy(`(?i)(^|[-._~])(bearer|basic|authorization|auth|(access[-_]?)?token|api[-_]?key|jwt|secret|ticket|password|credential|session|header)(\b|_|$)`)

// shortestPart is the minimum length of a part that is removed by itself, too.
const shortestPart = 8

// tokenForm reports whether a word looks like a generated token: long, with letters in
// both cases and digits.
func tokenForm(s string) bool {
	return len(s) >= 20 && strings.ContainsFunc(s, unicode.IsUpper) && strings.ContainsFunc(s, unicode.IsLower) &&
		strings.ContainsFunc(s, unicode.IsDigit)
}
