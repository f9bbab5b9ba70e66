// Makes templates_html.jsonl: what Go's html/template prints for each line of templates_html.txt,
// on the data that tests/rules/template_data.h has too. Run it where Go is installed:
//
//	go run templates_html.go < templates_html.txt > templates_html.jsonl
//
// A line of templates_html.txt is a template as a Go string without the quotes; '#' starts a
// comment.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html/template"
	"os"
	"strconv"
	"strings"
)

type Item struct {
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
}

type Data struct {
	Labels map[string]string
	Value  interface{}
	Any    map[string]interface{}
	Nil    interface{}
	Str    string
	Int    int
	Yes    bool
	List   []string
	Items  []*Item
	Item   Item
	None   *Item
}

type result struct {
	Template string `json:"template"`
	Out      string `json:"out"`
	Error    string `json:"error,omitempty"`
}

func run(text string) (string, error) {
	data := Data{
		Labels: map[string]string{"alertname": "High", "instance": "a:9100", "job": "node"},
		Value:  1234567.0,
		Any:    map[string]interface{}{"f": 2.5, "s": "str", "n": nil},
		Str:    `<b>"O'Neil" & co</b>`,
		Int:    42,
		Yes:    true,
		List:   []string{"x", "y z", `"q"`},
		Items: []*Item{{map[string]string{"a": "1", "b": "2"}, 0.5},
			{map[string]string{"a": "1"}, 1234567}},
		Item: Item{map[string]string{"a": "1", "b": "2"}, 0.5},
	}
	funcs := template.FuncMap{
		"safeHtml": func(s string) template.HTML { return template.HTML(s) },
		"safeUrl":  func(s string) template.URL { return template.URL(s) },
	}
	t, err := template.New("t").Option("missingkey=zero").Funcs(funcs).Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = t.Execute(&out, data)
	return out.String(), err
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	for in.Scan() {
		line := in.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		text, err := strconv.Unquote(`"` + line + `"`)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bad line:", line)
			os.Exit(1)
		}
		out, err := run(text)
		r := result{Template: text, Out: out}
		if err != nil {
			r.Error = err.Error()
		}
		_ = enc.Encode(r)
	}
}
