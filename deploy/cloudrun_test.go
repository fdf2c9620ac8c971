package deploy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"reflect"
	"strings"
)

// knative is how the paths of Cloud Run's API for services and revisions begin.
const knative = "serving.knative.dev/v1/namespaces/project/"

// serveRun serves services and revisions: a changed template makes a revision, and traffic goes where it is sent.
func (c *cloud) serveRun(r *http.Request, name string, sent resource) (int, resource) {
	if r.Method == http.MethodPut {
		service := path.Base(name)
		before := c.resources[knative+name]
		c.resources[knative+name] = sent
		if !reflect.DeepEqual(before["spec"].(resource)["template"], sent["spec"].(resource)["template"]) {
			c.revise(service, false)
		}
		c.route(service)
		return http.StatusOK, c.resources[knative+name]
	}
	if stored, ok := c.resources[knative+name]; ok {
		return http.StatusOK, stored
	}
	if name == "services" || name == "revisions" {
		items := []resource{}
		_, of, _ := strings.Cut(r.URL.Query().Get("labelSelector"), " = ")
		for _, item := range c.list(knative + name) {
			if of == "" || item["metadata"].(resource)["labels"].(resource)["serving.knative.dev/service"] == of {
				items = append(items, item)
			}
		}
		return http.StatusOK, resource{"metadata": resource{}, "items": items}
	}
	return http.StatusNotFound, resource{"error": resource{"code": 404, "message": name + " not found", "status": "NOT_FOUND"}}
}

// revise makes a new revision of a service, and the service where it is new. Where latest is true, the revision gets
// all the traffic, whoever had it.
func (c *cloud) revise(service string, latest bool) {
	name := knative + "services/" + service
	s, ok := c.resources[name]
	if !ok {
		s = resource{"apiVersion": "serving.knative.dev/v1", "kind": "Service",
			"metadata": resource{"name": service, "namespace": "project", "generation": 1.0, "resourceVersion": "A",
				"labels": resource{"cloud.googleapis.com/location": "region"}, "annotations": resource{}},
			"spec":   resource{"template": resource{"metadata": resource{"annotations": resource{}}, "spec": resource{"containers": []any{resource{"image": "i"}}}}},
			"status": resource{}}
		latest = true
	}
	spec := s["spec"].(resource)
	if latest {
		spec["traffic"] = []any{resource{"latestRevision": true, "percent": 100.0}}
	}
	revision := fmt.Sprintf("%s-%05d", service, len(c.revisions(service))+1)
	ready := []any{resource{"type": "Ready", "status": "True"}, resource{"type": "ConfigurationsReady", "status": "True"}, resource{"type": "RoutesReady", "status": "True"}}
	c.resources[knative+"revisions/"+revision] = resource{"apiVersion": "serving.knative.dev/v1", "kind": "Revision",
		"metadata": resource{"name": revision, "namespace": "project", "creationTimestamp": c.tick(),
			"labels": resource{"serving.knative.dev/service": service, "cloud.googleapis.com/location": "region"}},
		"spec": spec["template"].(resource)["spec"], "status": resource{"conditions": ready}}
	s["status"] = resource{"observedGeneration": s["metadata"].(resource)["generation"], "conditions": ready,
		"latestReadyRevisionName": revision, "latestCreatedRevisionName": revision, "url": "https://" + service + "-1234567890.region.run.app"}
	c.resources[name] = s
	c.route(service)
}

// route has the status of a service say where its traffic goes.
func (c *cloud) route(service string) {
	s := c.resources[knative+"services/"+service]
	status := s["status"].(resource)
	traffic := []any{}
	for _, t := range s["spec"].(resource)["traffic"].([]any) {
		to := resource{"percent": t.(resource)["percent"], "revisionName": t.(resource)["revisionName"]}
		if t.(resource)["latestRevision"] == true {
			to["latestRevision"], to["revisionName"] = true, status["latestReadyRevisionName"]
		}
		traffic = append(traffic, to)
	}
	status["traffic"] = traffic
}

// revisions returns the revisions of a service.
func (c *cloud) revisions(service string) (names []string) {
	for _, r := range c.list(knative + "revisions") {
		if r["metadata"].(resource)["labels"].(resource)["serving.knative.dev/service"] == service {
			names = append(names, r["metadata"].(resource)["name"].(string))
		}
	}
	return names
}

// serving returns the revision of a service that has the traffic.
func (c *cloud) serving(service string) string {
	status := c.resources[knative+"services/"+service]["status"].(resource)
	return status["traffic"].([]any)[0].(resource)["revisionName"].(string)
}

// withTraffic returns a copy of a function that says whether its latest revision has all the traffic.
func (c *cloud) withTraffic(function resource) resource {
	b, err := json.Marshal(function)
	if err != nil {
		c.t.Error(err)
	}
	var f resource
	if err := json.Unmarshal(b, &f); err != nil {
		c.t.Error(err)
	}
	name := path.Base(f["name"].(string))
	status := c.resources[knative+"services/"+name]["status"].(resource)
	f["serviceConfig"].(resource)["allTrafficOnLatestRevision"] = c.serving(name) == status["latestReadyRevisionName"]
	return f
}
