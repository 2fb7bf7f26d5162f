package credential

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for name := range strings.FieldsSeq("Authorization Proxy-Authorization Cookie Set-Cookie X-Auth-Token X-Auth X-Token X-Tok Token " +
		"X-Access-Token X-Api-Key Apikey X-Amz-Security-Token Ocp-Apim-Subscription-Key PRIVATE-TOKEN X-Vault-Token X-Session X-Signature " +
		"X-Secret X-Password X-Jwt X-Bearer X-Pass X-Credential X-Pin X-Admin-Pw X-Otp X-Identity X-License X-Auth-Code X-Oauth X-Authkey Accesskey X-Sid Session-Id sessionid X-Key X-Sig") {
		if !Header(name) {
			t.Errorf("header %s is not held for a credential", name)
		}
	}
	for name := range strings.FieldsSeq("Sec-WebSocket-Key Sec-WebSocket-Protocol WWW-Authenticate Proxy-Authenticate User-Agent Origin Host " +
		"Accept-Language X-Request-Id X-Opinion X-Passenger Content-Type Upgrade Connection Date X-Forwarded-For X-Spin X-Author Author X-Design X-Designer X-Monkey X-Sigma X-Authority X-Sessional") {
		if Header(name) {
			t.Errorf("header %s is held for a credential", name)
		}
	}
	for name := range strings.FieldsSeq("token access_token auth key apikey api-key sig signature secret password pass pwd jwt ticket code " +
		"session sid session_id otp bearer X-Amz-Credential id_token authToken connectionToken listenKey passphrase pin SharedAccessSignature authCode") {
		if !Query(name, "a-long-value") {
			t.Errorf("parameter %s is not held for a credential", name)
		}
	}
	if Query("code", "1011") {
		t.Error("a short code is held for a credential")
	}
	for name := range strings.FieldsSeq("t v room since stream limit encoding codec compass user id author design designId authority monkey") {
		if Query(name, "a-long-value") {
			t.Errorf("parameter %s is held for a credential", name)
		}
	}
	for name := range strings.FieldsSeq("password passwd pwd pass jwt token accessToken api_key apiKey APIKey access-key privateKey secret auth session sid pin otp " +
		"passphrase passcode credential x-hasura-admin-secret Authorization ticket signature") {
		if !Member(name) {
			t.Errorf("member %s is not held for a credential", name)
		}
	}
	for name := range strings.FieldsSeq("key code keyword author passenger spin design assigned user id compass pinned status monkey keys") {
		if Member(name) {
			t.Errorf("member %s is held for a credential", name)
		}
	}
}

func TestSubprotocols(t *testing.T) {
	for list, want := range map[string]string{
		"":                                "",
		"graphql-transport-ws mqtt soap":  "",
		"v1.kernel.websocket.jupyter.org": "",
		"v12.stomp v11.stomp ocpp2.0.1":   "",
		"base64url.bearer.authorization.k8s.io.c2VjcmV0dG9rZW4 v4.channel.k8s.io": "k8s.io.c2VjcmV0dG9rZW4 c2VjcmV0dG9rZW4",
		"realtime openai-insecure-api-key.sk-proj-abc openai-beta.realtime-v1":    "sk-proj-abc",
		"graphql-ws header-eyJob3N0IjoiYSJ9":                                      "eyJob3N0IjoiYSJ9",
		"v1.token.websocket.jupyter.org.0123456789":                               "websocket.jupyter.org.0123456789 0123456789",
		"bearer abc123":              "abc123",
		"access_token abc123":        "abc123",
		"bearer.abc123":              "abc123",
		"Authorization_abc123":       "abc123",
		"chat aB3dE5gH7jK9mN1pQ3sT5": "aB3dE5gH7jK9mN1pQ3sT5",
	} {
		if got := strings.Join(Subprotocols(strings.Fields(list)), " "); got != want {
			t.Errorf("%s: %q, want %q", list, got, want)
		}
	}
}

func TestValues(t *testing.T) {
	for text, want := range map[string]string{
		`{"password":"cAnArY2"}`:                                  "cAnArY2",
		`{"token": "cAnArY3"}`:                                    "cAnArY3",
		`Authorization: Bearer cAnArY4`:                           "cAnArY4",
		`{"auth":{"pwd":"cAnArY5"}}`:                              "cAnArY5",
		`login bob cAnArY6`:                                       "cAnArY6",
		`{"apiKey":"cAnArY7"}`:                                    "cAnArY7",
		`CONNECT\nlogin:x\npasscode:cAnArY8`:                      "cAnArY8",
		"CONNECT\nlogin:x\npasscode:cAnArY8\n\n\x00":              "cAnArY8",
		`{"jwt":"eyJhbGciOiJI.eyJzdWIi.cAnArY9"}`:                 "eyJhbGciOiJI.eyJzdWIi.cAnArY9",
		`/send {"secret":"cAnArY10"}`:                             "cAnArY10",
		`{"payload":{"headers":{"x-hasura-admin-secret":"cAn"}}}`: "cAn",
		`AKIAIOSFODNN7EXAMPLE cAnArY13`:                           "AKIAIOSFODNN7EXAMPLE cAnArY13",
		`{"pin":1234}`:                                            "1234",
		`PASS oauth:abcdef`:                                       "oauth:abcdef",
		`AUTH user pw`:                                            "pw",
		`AUTH pw`:                                                 "pw",
		`NickServ IDENTIFY me pw`:                                 "pw",
		`{"params":{"pass":"pw"}}`:                                "pw",
		`{"password":"cut o`:                                      "cut o",
		`{"password":"a\"b"}`:                                     `a\"b`,
		`wss://x/?room=1&access_token=abc`:                        "abc",
		`{"token":null,"auth":true}`:                              "",
		`{"key":"order","code":200,"author":"bob"}`:               "",
		`pass the salt over to me please`:                         "",
		`hello world`:                                             "",
		`{"url":"https://example.com/a:b"}`:                       "",
		``:                                                        "",
	} {
		got := Values(text)
		if text == `AKIAIOSFODNN7EXAMPLE cAnArY13` {
			if !slices.Contains(got, "cAnArY13") {
				t.Errorf("%s: %q", text, got)
			}
			continue
		}
		if strings.Join(got, " ") != want && !(want != "" && slices.Contains(got, want)) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
		if want != "" && strings.Contains(Mask(text, "***"), want) {
			t.Errorf("%s: masked %s", text, Mask(text, "***"))
		}
		if (want != "") != Contains(text) && !strings.Contains(text, "null") {
			t.Errorf("%s: Holds is %v", text, Contains(text))
		}
	}
	if !Contains(`{"auth":{"user":"x"`) {
		t.Error("a member that is called auth is not noticed")
	}
}

// No part of a credential is left, wherever it is and however many words it has, and
// JSON stays valid.
func TestMask(t *testing.T) {
	for text, want := range map[string]string{
		`passphrase: CanaryE CanaryF`:                        `passphrase: ***`,
		"a\npassphrase: CanaryE CanaryF\nb":                  "a\npassphrase: ***\nb",
		`password: Canary"A CanaryB {"x":1} CanaryC`:         `password: ***`,
		`password = 'CanaryA CanaryB'`:                       `password = ***`,
		`{"password":["CanaryQ"]}`:                           `{"password":"***"}`,
		`{"credentials":{"login":"CanaryR"},"a":1}`:          `{"credentials":"***","a":1}`,
		`{"credentials":{"login":"CanaryR`:                   `{"credentials":"***"`,
		`{"pin":1234,"n":12345}`:                             `{"pin":"***","n":12345}`,
		`{"token":null,"auth":true,"password":[]}`:           `{"token":null,"auth":true,"password":[]}`,
		`HELLO 3 AUTH default CanaryD`:                       `HELLO 3 AUTH ***`,
		`hello 3 auth default CanaryD`:                       `hello 3 auth ***`,
		`SASL PLAIN CanaryP`:                                 `SASL ***`,
		`sasl plain CanaryP`:                                 `sasl ***`,
		`AUTH CanaryA CanaryB CanaryC CanaryD`:               `AUTH ***`,
		`login bob CanaryA`:                                  `login ***`,
		`CONFIG SET requirepass CanaryA`:                     `CONFIG SET requirepass ***`,
		`PRIVMSG NickServ :identify CanaryA CanaryB`:         `PRIVMSG NickServ :identify ***`,
		`<auth mechanism="PLAIN">CanaryN</auth>`:             `<auth mechanism="PLAIN">***</auth>`,
		`<auth>CanaryN`:                                      `<auth>***`,
		`<wsse:Password><![CDATA[CanaryN]]></wsse:Password>`: `<wsse:Password>***</wsse:Password>`,
		`{"op":"login","args":[{"apiKey":"CanaryA","passphrase":"CanaryB","sign":"CanaryK"}]}`: `{"op":"login","args":[{"apiKey":"***","passphrase":"***","sign":"***"}]}`,
		`{"op":"login","args":[{"x":"CanaryA","timestamp":12}]}`:                               `{"op":"login","args":[{"x":"***","timestamp":12}]}`,
		`{"method":"mining.authorize","params":["u","CanaryG"]}`:                               `{"method":"mining.authorize","params":["***","***"]}`,
		`{"params":["name","CanaryG"],"id":1,"method":"server.login"}`:                         `{"params":["***","***"],"id":1,"method":"server.login"}`,
		`42["login","bob","CanaryS"]`:                                                          `42["login","***","***"]`,
		`{"line":"PASS CanaryA"}`:                                                              `{"line":"PASS ***"}`,
		`{"line":"CONNECT\npasscode: CanaryA CanaryB\n\n"}`:                                    `{"line":"CONNECT\npasscode: ***\n\n"}`,
		`{"data":"{\"password\":\"CanaryA B\"}"}`:                                              `{"data":"{\"password\":\"***\"}"}`,
		`{"url":"wss://x/?access_token=CanaryA&room=1"}`:                                       `{"url":"wss://x/?access_token=***&room=1"}`,
		`wss://x/?access_token=CanaryA&room=1 hello`:                                           `wss://x/?access_token=***&room=1 hello`,
		`Authorization: Bearer CanaryA`:                                                        `Authorization: Bearer ***`,
		`{password: CanaryA CanaryB}`:                                                          `{password: ***`,
		`"password":"CanaryA"`:                                                                 `"password":***`,
		`[12:30] token: CanaryA CanaryB`:                                                       `[12:30] token: ***`,
		`{"password":"CanaryA","again":"CanaryA"}`:                                             `{"password":"***","again":"***"}`,
		`{"op":"subscribe","args":["trades"]}`:                                                 `{"op":"subscribe","args":["trades"]}`,
		`pass the salt over to me please`:                                                      `pass the salt over to me please`,
		`see https://example.com/auth://x`:                                                     `see https://example.com/auth://x`,
	} {
		got := Mask(text, "***")
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if strings.Contains(got, "Canary") {
			t.Errorf("%s: a credential stands in %s", text, got)
		}
		if Contains(text) != (want != text) && !strings.Contains(text, "null") {
			t.Errorf("%s: Holds is %v", text, Contains(text))
		}
		if json.Valid([]byte(text)) && !json.Valid([]byte(got)) {
			t.Errorf("%s: %s is not JSON", text, got)
		}
	}
}

// Whatever the text, the mask leaves none of the values that are not very short, and nothing panics.
func FuzzMask(f *testing.F) {
	f.Add(`{"password":"x","a":[1,{"token":"***"}]}`)
	f.Add("PASS x\nAUTH a b c")
	f.Fuzz(func(t *testing.T, text string) {
		for _, v := range Values(text) {
			if masked := Mask(text, ""); len(v) >= shortestRepeated && strings.Trim(v, "0123456789.") != "" && strings.Contains(masked, v) && !strings.Contains(strings.ReplaceAll(text, v, ""), v) && len(Values(text)) == 1 {
				t.Errorf("Mask(%q) leaves %q", text, v)
			}
		}
		Subprotocols(strings.Fields(text))
	})
}
