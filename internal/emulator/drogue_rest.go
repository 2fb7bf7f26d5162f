package emulator

import (
	"math/rand/v2"
	"sync"

	"github.com/hark-cli/hark/proto/wire"
)

// drogueTokens are the personal access tokens of all users.
type drogueTokens struct {
	mu     sync.Mutex
	rand   *rand.Rand
	tokens []drogueToken
}

type drogueToken struct {
	user, token string
}

func newDrogueTokens(r *rand.Rand) *drogueTokens {
	return &drogueTokens{rand: r, tokens: []drogueToken{{user: DrogueUser, token: DrogueAccessToken}}}
}

// owner identifies the user of an access token. One with a wrong checksum is not
// even looked up, and none carries a role.
func (t *drogueTokens) owner(user, token string) (drogueIdentity, bool) {
	if !wire.DrogueAccessTokenValid(token) {
		return drogueIdentity{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, known := range t.tokens {
		if known.user == user && known.token == token {
			return drogueIdentity{user: user, id: drogueUserID(user)}, true
		}
	}
	return drogueIdentity{}, false
}
