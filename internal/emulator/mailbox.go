package emulator

import "sync"

// MailboxLimit is how many events wait for one connection; a client that leaves
// more unread is cut off.
const MailboxLimit = 1 << 16

// A Mailbox takes events from publishers, who never wait, to one reader.
type Mailbox struct {
	// Wake has room for one token: there is something to take.
	Wake chan struct{}

	mu    sync.Mutex
	items [][]byte
	full  bool
}

// NewMailbox returns an empty one.
func NewMailbox() *Mailbox { return &Mailbox{Wake: make(chan struct{}, 1)} }

// Put leaves an event. It must not be changed afterwards.
func (m *Mailbox) Put(event []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.items) == MailboxLimit {
		m.full = true
	} else {
		m.items = append(m.items, event)
	}
	select {
	case m.Wake <- struct{}{}:
	default:
	}
}

// Take empties the mailbox. ok is false when events did not fit: then the reader
// has missed some.
func (m *Mailbox) Take() (events [][]byte, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	events, m.items = m.items, nil
	return events, !m.full
}
