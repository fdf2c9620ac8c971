package seal

import (
	"encoding/base64"
	"strings"
)

// Pasted returns a JSON text without the byte order mark and the white space that editors and pipes put around it.
func Pasted(text string) string {
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "\ufeff"))
}

// NotJSON tells the person who pasted a text in place of a JSON object what it looks like. It quotes nothing of the
// text, which may be a secret.
func NotJSON(text string) string {
	text = Pasted(text)
	switch decoded, err := base64.StdEncoding.DecodeString(text); {
	case text == "":
		return "it is empty"
	case strings.ContainsRune(text, 0) || strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff"):
		return "it is UTF-16, which Windows PowerShell writes: save it as UTF-8"
	case strings.ContainsRune(`"'`, rune(text[0])):
		return "it has quotes around it: take them off"
	case strings.ContainsRune("`“”‘’", []rune(text)[0]):
		return "it has a word processor's quotes around it: take them off"
	case err == nil && strings.HasPrefix(Pasted(string(decoded)), "{"):
		return "it is base64: decode it first"
	case text[0] == '{':
		return "it begins like JSON and is not: it was cut short, or lost its quotes on the way"
	case strings.HasSuffix(text, ".json") || strings.HasPrefix(text, "/") || strings.HasPrefix(text, "./") || strings.HasPrefix(text, "~"):
		return "it is a path: give the content of the file"
	case strings.HasPrefix(text, "projects/"):
		return "it is the name of a secret: give its content"
	}
	return "it is no JSON object"
}
