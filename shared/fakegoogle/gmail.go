package fakegoogle

import (
	"net/http"
	"strconv"
	"strings"
)

var gmailLabelsList = endpoint{
	service: "gmail.googleapis.com", method: "caribou.api.proto.MailboxService.ListLabels",
	scopes: scopesOf("gmail.labels", "gmail.readonly", "gmail.modify", "gmail.metadata", "https://mail.google.com/"),
}

// systemLabels are the labels that every account has; their id is their name.
const systemLabels = " INBOX SENT DRAFT TRASH SPAM STARRED IMPORTANT UNREAD CHAT CATEGORY_PERSONAL CATEGORY_SOCIAL CATEGORY_PROMOTIONS CATEGORY_UPDATES CATEGORY_FORUMS "

// listLabels serves users.labels.list. As at Google, the answer has no "labels" at all where there are none.
func (s *Server) listLabels(c *call) (map[string]any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if user := c.r.PathValue("user"); user != "me" && user != c.who.Email {
		return nil, apiErrorf(http.StatusForbidden, "forbidden", "Delegation denied for %s", c.who.Email)
	}
	labels := []any{}
	for i, name := range c.who.Labels {
		label := map[string]any{"id": "Label_" + strconv.Itoa(i+1), "name": name, "type": "user"}
		if strings.Contains(systemLabels, " "+name+" ") {
			label["id"], label["type"] = name, "system"
			label["messageListVisibility"], label["labelListVisibility"] = "hide", "labelHide"
		}
		labels = append(labels, label)
	}
	if len(labels) == 0 {
		return map[string]any{}, nil
	}
	return map[string]any{"labels": labels}, nil
}
