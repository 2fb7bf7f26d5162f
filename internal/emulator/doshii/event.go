package doshii

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
)

// baseURI is the base of the addresses in events.
const baseURI = "https://sandbox.doshii.co"

// object is a payload to encode as JSON.
type object map[string]any

// shape returns the payload of an event with an id.
type shape struct {
	name string
	make func(r *rand.Rand, id int) object
}

// notice returns the short payload of most events: what changed, at which location, and
// its address.
func notice(kind string, id int, more object) object {
	o := object{"id": strconv.Itoa(id), "locationId": DemoLocation, "uri": fmt.Sprintf("%s/partner/v3/%s/%d", baseURI, kind, id)}
	maps.Copy(o, more)
	return o
}

// shapes are the events for apps with the payloads of the help pages, in the order in
// which they are generated.
func shapes() []shape {
	return []shape{
		{"order_created", func(r *rand.Rand, id int) object {
			return notice("orders", id, object{"status": "pending"})
		}},
		{"order_updated", func(r *rand.Rand, id int) object {
			return notice("orders", id, object{"status": emulator.Pick(r, "accepted", "complete", "rejected", "venue_cancelled")})
		}},
		{"transaction_created", func(r *rand.Rand, id int) object {
			return notice("transactions", id, object{
				"orderId": strconv.Itoa(id - 1), "status": "requested", "posRef": "T" + strconv.Itoa(r.IntN(40)),
				"posTerminalId": "ab12cd", "requestData": object{"accountId": strconv.Itoa(r.IntN(1000)), "expiryDate": nil},
			})
		}},
		{"transaction_updated", func(r *rand.Rand, id int) object {
			return notice("transactions", id, object{
				"orderId": strconv.Itoa(id - 1), "status": "complete", "posRef": "T" + strconv.Itoa(r.IntN(40)),
				"posTerminalId": "ab12cd", "verifyData": object{
					"imageUri": "https://example.com/card.png", "accountId": strconv.Itoa(r.IntN(1000)),
					"issueDate": "2024-01", "expiryDate": "2030-01", "authorisationCode": strconv.Itoa(r.IntN(10000)),
				},
			})
		}},
		{"order_preprocess", func(r *rand.Rand, id int) object {
			if r.IntN(3) == 0 {
				return object{"id": strconv.Itoa(id), "status": "rejected", "locationId": DemoLocation,
					"rejectionCode": "O1", "rejectionReason": "item is sold out"}
			}
			return object{"id": strconv.Itoa(id), "status": "complete", "locationId": DemoLocation,
				"posAdjusted": r.IntN(2) == 1, "validUntil": nil, "order": order(r)}
		}},
		{"booking_created", func(r *rand.Rand, id int) object { return notice("bookings", id, nil) }},
		{"booking_updated", func(r *rand.Rand, id int) object {
			return notice("bookings", id, object{"status": emulator.Pick(r, "accepted", "cancelled")})
		}},
		{"checkin_created", func(r *rand.Rand, id int) object { return notice("checkins", id, nil) }},
		{"checkin_updated", func(r *rand.Rand, id int) object { return notice("checkins", id, nil) }},
		{"checkin_deleted", func(r *rand.Rand, id int) object { return notice("checkins", id, nil) }},
		{"menu_updated", func(r *rand.Rand, id int) object {
			menu := fmt.Sprintf("%s/partner/v3/locations/%s/menu", baseURI, DemoLocation)
			return object{"locationId": DemoLocation, "posId": strconv.Itoa(id), "type": "products", "action": "updated",
				"itemUri": menu + "/products/" + strconv.Itoa(id), "availability": emulator.Pick(r, "available", "unavailable"), "uri": menu}
		}},
		{"table_created", func(r *rand.Rand, id int) object {
			return notice("tables", id, object{"tableName": emulator.Pick(r, "Terrace 1", "Übersee", "窓 4")})
		}},
		{"table_deleted", func(r *rand.Rand, id int) object {
			return object{"id": strconv.Itoa(id), "tableName": "Terrace 1", "locationId": DemoLocation}
		}},
		{"table_bulk_updated", func(r *rand.Rand, id int) object {
			return object{"locationId": DemoLocation, "uri": baseURI + "/partner/v3/tables"}
		}},
		{"points_redemption", func(r *rand.Rand, id int) object {
			return object{"memberId": "m" + strconv.Itoa(id), "orderId": strconv.Itoa(id - 1),
				"points": strconv.Itoa(10 * r.IntN(100)), "uri": fmt.Sprintf("%s/partner/v3/members/m%d", baseURI, id)}
		}},
		{"loyalty_checkin_created", func(r *rand.Rand, id int) object {
			return notice("loyalty/checkins", id, object{"id": id, "posTerminalId": "ab12cd", "status": "pending",
				"memberRef": "m" + strconv.Itoa(r.IntN(100))})
		}},
		{"card_enquiry", func(r *rand.Rand, id int) object {
			return notice("cards", id, object{"status": "pending", "posTerminalId": "ab12cd", "requestData": object{
				"cardRef": strconv.Itoa(r.IntN(1e6)), "cardAuthorisationKey": "demo-key",
				"cardProviderAuthId": "demo-provider", "cardProviderAuthPassword": "demo-password",
			}})
		}},
	}
}

// order returns the order in a pre-processed order event: amounts are strings in minor
// units, quantities are numbers.
func order(r *rand.Rand) object {
	items := make([]object, 1+r.IntN(4))
	for i := range items {
		items[i] = object{"posId": strconv.Itoa(100 + i), "name": emulator.Pick(r, "Toasted sourdough", "Café crème", "Crème brûlée"),
			"quantity": 1 + r.IntN(3), "unitPrice": strconv.Itoa(100 * (3 + r.IntN(20)))}
	}
	return object{"type": emulator.Pick(r, "pickup", "delivery", "dinein"), "surcounts": []object{}, "items": items}
}

// next generates an event for apps.
func (m *maker) next() event {
	shapes := shapes()
	shape := shapes[m.made%len(shapes)]
	m.made++
	payload := shape.make(m.rand, 1000+m.made)
	terminal, _ := payload["posTerminalId"].(string)
	return event{name: shape.name, payload: emulator.MustJSON(payload), location: DemoLocation, terminal: terminal}
}

// nextPOS generates an event for the point of sale.
func (m *maker) nextPOS() event {
	id := 5000 + m.pos
	e := event{location: DemoLocation, pos: true}
	var payload object
	switch m.pos % 3 {
	case 0:
		e.name = "order_created"
		payload = object{"id": strconv.Itoa(id), "status": "pending", "app": object{"id": "1", "name": "hark demo"},
			"uri": fmt.Sprintf("%s/pos/v3/unlinked_orders/%d", baseURI, id)}
	case 1:
		e.name = "booking_created"
		payload = object{"id": strconv.Itoa(id), "tableNames": []string{"T1", "T2"},
			"date": time.Now().UTC().Format(time.RFC3339), "covers": "4", "uri": fmt.Sprintf("%s/pos/v3/bookings/%d", baseURI, id)}
	case 2:
		e.name = "app_subscribed"
		payload = object{"id": id, "status": "subscribed", "uri": fmt.Sprintf("%s/pos/v3/apps/%d", baseURI, id)}
	}
	m.pos++
	e.payload = emulator.MustJSON(payload)
	return e
}
