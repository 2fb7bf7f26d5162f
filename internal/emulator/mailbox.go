package emulator

import "sync"

// mailboxLimit is how many events wait for one connection; a client that leaves
// more unread is cut off.
const mailboxLimit = 1 << 16

// A mailbox takes events from publishers, who never wait, to one reader.
type mailbox struct {
	// wake has room for one token: there is something to take.
	wake chan struct{}

	mu    sync.Mutex
	items [][]byte
	full  bool
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// put leaves an event. It must not be changed afterwards.
func (m *mailbox) put(event []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.items) == mailboxLimit {
		m.full = true
	} else {
		m.items = append(m.items, event)
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// take empties the mailbox. ok is false when events did not fit: then the reader
// has missed some.
func (m *mailbox) take() (events [][]byte, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	events, m.items = m.items, nil
	return events, !m.full
}
