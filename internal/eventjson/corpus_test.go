package eventjson

import (
	"fmt"
	"strings"
)

// samples are events of the size and structure that the services send.
func samples() map[string]string {
	event := `{"specversion":"1.0","id":"6f8f2f0e-8a3b-4a55-9b1d-3f7c6f0a9e21","type":"io.drogue.event.v1","source":"drogue://demo-app/device-0042","datacontenttype":"application/json","subject":"state","time":"2026-11-05T10:22:31.482917Z","application":"demo-app","device":"device-0042","sequence":184467,"data":{"temp":21.5,"ok":true}}`
	nested := `{"id":"9b1d-3f7c","type":"order_updated","body":{"order":{"id":12345678,"status":"accepted","notes":"line one\nline \"two\"\tand \u00e9","items":[` +
		strings.Repeat(`{"uuid":"a1b2c3","name":"Flat \"white\"","qty":2,"price":450,"tax":0.1,"options":[{"name":"milk","value":null}]},`, 5) +
		`{"uuid":"z","qty":-1}],"total":4599.95,"paid":false}},"created":"2026-11-05T10:22:31Z","tags":["a","b","c"],"meta":{"x":{"y":{"z":[1,2,3,[4,5,[6]]]}}}}`
	var series strings.Builder
	series.WriteString(`{"id":"s-1","series":[`)
	for i := range 24 {
		if i > 0 {
			series.WriteByte(',')
		}
		fmt.Fprintf(&series, `{"t":%d,"v":%d.%02d,"unit":"°C","station":"Zürich Flughafen Süd","flags":["ok","geprüft"],"quality":0.%03d,"seq":%d}`, int64(1762338151000)+int64(i)*1000, 20+i%5, i, 900+i, 184467+i)
	}
	series.WriteString(`]}`)
	indented := strings.NewReplacer(`{"`, "{\n    \"", `,"`, ",\n    \"", `":`, `": `).Replace(nested)
	return map[string]string{"300B": event, "1KB": nested, "4KB": series.String(), "indented": indented}
}

var sampleNames = []string{"300B", "1KB", "4KB", "indented"}
