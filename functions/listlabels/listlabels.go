// Package listlabels lists the signed-in user's Gmail labels.
package listlabels

import (
	_ "embed"

	"google.golang.org/api/gmail/v1"
	"google.golang.org/api/option"

	"functions.local/oauth/shared/httpfunc"
)

//go:embed listlabels.html
var html string

var page = httpfunc.NewPage("", html)

func init() {
	httpfunc.ForUser(httpfunc.Function{
		Name:       "listlabels",
		Title:      "List my labels",
		API:        "gmail.googleapis.com",
		Permission: "see and edit your Gmail labels",
		Scopes: httpfunc.Scopes{{gmail.GmailLabelsScope,
			gmail.GmailReadonlyScope, gmail.GmailModifyScope, gmail.GmailMetadataScope, gmail.MailGoogleComScope}},
		Get: listLabels,
	})
}

// labels are the names that the API has for the user's labels.
type labels struct {
	Names []string `json:"labels"`
}

// system holds the names that Gmail's own pages show for the labels that every account has [Gmail API: manage labels].
var system = map[string]string{
	"INBOX": "Inbox", "STARRED": "Starred", "IMPORTANT": "Important", "SENT": "Sent", "DRAFT": "Drafts", "UNREAD": "Unread", "CHAT": "Chat",
	"SPAM": "Spam", "TRASH": "Trash", "CATEGORY_PERSONAL": "Primary", "CATEGORY_SOCIAL": "Social", "CATEGORY_PROMOTIONS": "Promotions",
	"CATEGORY_UPDATES": "Updates", "CATEGORY_FORUMS": "Forums",
}

// Labels returns the labels as they are shown to people.
func (l labels) Labels() []httpfunc.Item {
	items := make([]httpfunc.Item, len(l.Names))
	for i, name := range l.Names {
		if words, ok := system[name]; ok {
			items[i] = httpfunc.Item{Text: words, Name: name}
		} else {
			items[i].Text = name
		}
	}
	return items
}

func listLabels(c *httpfunc.Call) (*httpfunc.View, error) {
	svc, err := gmail.NewService(c.Context(), option.WithHTTPClient(c.Client))
	if err != nil {
		return nil, err
	}
	res, err := svc.Users.Labels.List("me").Fields("labels/name").Context(c.Context()).Do()
	if err != nil {
		return nil, err
	}
	found := labels{Names: make([]string, 0, len(res.Labels))}
	for _, label := range res.Labels {
		found.Names = append(found.Names, label.Name)
	}
	return page.View(found), nil
}
