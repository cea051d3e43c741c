// What secrets of known formats begin with, and assignments of texts to what is called like a secret. They find nothing by
// themselves: the detectors of secrets look at what is around them.

rule secrets
{
    strings:
        $aws = /A(KI|SI)A[A-Z2-7]{16}/
        $github = /(gh[pousr]_|github_pat_)\w{20}/
        $gitlab = /gl(pat|dt|ptt|rt|cbt|ft|soat|agent|oas|imt|ffct)-[\w-]{20}/
        $slack = /xox[abeoprs]-/
        $slack_hook = "hooks.slack.com/services/"
        $discord = /discord(app)?\.com\/api\/webhooks\//
        $key = "PRIVATE KEY"
        $putty = "PuTTY-User-Key-File"
        $stripe = /[sr]k_(live|test)_\w{10}/
        $openai = "T3BlbkFJ"
        $anthropic = "sk-ant-"
        $azure = /(AccountKey|SharedAccessKey)=/
        $jwt = /eyJ[\w-]{10,400}\.eyJ/
        $sendgrid = /SG\.[\w-]{16,32}\.[\w-]{16}/
        $npm = /npm_\w{36}/
        $npm_line = "_authToken"
        $pypi = "pypi-AgE"
        $google = /AIza[\w-]{35}/
        $google_oauth = "GOCSPX-"
        $url = /[a-z]:\/\/[^\s:@\/'"<>{}$]{1,64}:[^\s@\/'"<>]{3,100}@[\w.-]/
        $square = /sq0(atp|csp|idp)-/
        $twilio = /\b(AC|SK)[0-9a-f]{32}\b/
        $mailchimp = /-us\d{1,2}\b/
        $telegram = /\d:AA[\w-]{33}/
        $digitalocean = /do[opr]_v1_[0-9a-f]{20}/
        $vault = /\bhv[sbr]\.[\w-]{20}/
        $age = "AGE-SECRET-KEY-1"
        $hugging_face = /\bhf_[A-Za-z]{30}/
        $doppler = "dp.pt."
        $shopify = /shp(at|ca|pa|ss)_[0-9a-fA-F]{32}/
        $linear = "lin_api_"
        $assigned = /(passw(or)?d|passphrase|secret|token|api_?key|access_?key|credentials?)\w{0,20}["'\]]{0,2}[ \t]{0,4}(:|=|:=|=>)[ \t]{0,4}["'][^"'\s$<>{}%()]{8,100}["']/ nocase
    condition:
        any of them
}
