package emulator

import "sync"

// MailboxLimit is the maximum number of events that wait for one connection; a client
// that leaves more unread is disconnected.
const MailboxLimit = 1 << 16

// A Mailbox passes events from publishers, which never block, to one reader.
type Mailbox struct {
	// Wake has capacity 1: it signals that there are events to take.
	Wake chan struct{}

	mu    sync.Mutex
	items [][]byte
	full  bool
}

// NewMailbox returns an empty Mailbox.
func NewMailbox() *Mailbox { return &Mailbox{Wake: make(chan struct{}, 1)} }

// Put adds an event, which must not be modified afterwards.
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

// Take removes and returns all events. ok is false if some events did not fit and were
// lost.
func (m *Mailbox) Take() (events [][]byte, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	events, m.items = m.items, nil
	return events, !m.full
}
