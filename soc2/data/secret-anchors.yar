// What secrets of known formats begin with, and assignments of texts to what is called like a secret. They find nothing by
// themselves: the detectors of secrets look at what is around them.

rule secrets
{
    strings:
        $age = "AGE-SECRET-KEY-1"
        $airtable = /pat[A-Za-z0-9]{14}\.[0-9a-f]{64}/
        $alibaba = /LTAI[A-Za-z0-9]{12}/
        $anthropic = "sk-ant-"
        $artifactory = /AKC[A-Za-z0-9]{10}/
        $atlassian = /AT(ATT|CTT|BB)[\w=-]{20}/
        $aws = /A(KIA|SIA|BIA|CCA|3T)[A-Z0-9]{16}/
        $azure = /(AccountKey|SharedAccessKey)=/
        $azure_client = /\dQ~[\w~.-]{31}/
        $azure_sas = /[?&]sig=[A-Za-z0-9%]{20}/
        $bitbucket = /BBDC-[A-Za-z0-9+\/@_-]{40}/
        $buildkite = /bk[pu]a_[0-9a-f]{40}/
        $databricks = /dapi[0-9a-f]{32}/
        $digitalocean = /do[opr]_v1_[0-9a-f]{20}/
        $discord = /\/api\/webhooks\/\d{17}/
        $discord_bot = /[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27}/
        $docker_hub = /dckr_(pat|oat)_/
        $doppler = /dp\.(pt|st|ct|scim|audit)\./
        $figma = /figd_[\w-]{40}/
        $fly = /fo1_[\w-]{43}/
        $fly_macaroon = /fm[12][ar]?_[A-Za-z0-9+\/]{100}/
        $github = /(gh[pousr]_|github_pat_)\w{20}/
        $gitlab = /gl(pat|dt|ptt|rt|rtr|cbt|ft|soat|agent|oas|imt|ffct)-[\w.-]{20}/
        $gitlab_runner = "GR1348941"
        $google = /AIza[\w-]{35}/
        $google_oauth = "GOCSPX-"
        $google_token = /ya29\.[\w-]{20}/
        $google_refresh = /1\/\/0[\w-]{40}/
        $grafana = /gl(sa_[A-Za-z0-9]{32}|c_eyJ)/
        $heroku = /HRKU-[\w-]{36}/
        $hugging_face = /hf_[A-Za-z]{30}/
        $hugging_face_team = /api_org_[A-Za-z]{34}/
        $jwt = /eyJ[\w-]{10,400}\.eyJ/
        $key = "PRIVATE KEY"
        $linear = /lin_(api|oauth)_/
        $mailchimp = /-us\d{1,2}\b/
        $mailgun = /key-[0-9a-f]{32}/
        $new_relic = /NR(AK|II)-[\w-]{27}/
        $notion = /ntn_[A-Za-z0-9]{40}/
        $notion_secret = /secret_[A-Za-z0-9]{43}/
        $npm = /npm_[A-Za-z0-9]{36}/
        $npm_line = "_authToken"
        $openai = "T3BlbkFJ"
        $openai_project = /sk-(proj|svcacct|admin|None)-[\w-]{20}/
        $openshift = /sha256~[\w-]{43}/
        $oracle = "jdbc:oracle:"
        $planetscale = /pscale_(tkn|pw|oauth)_/
        $postman = /PMAK-[0-9a-f]{24}/
        $presigned = "X-Amz-Signature="
        $pulumi = /pul-[0-9a-f]{40}/
        $putty = "PuTTY-User-Key-File"
        $pypi = "pypi-AgE"
        $rubygems = /rubygems_[0-9a-f]{48}/
        $sendgrid = /SG\.[\w-]{16,32}\.[\w-]{16}/
        $sentry = /sntry[su]_[\w+\/=.-]{40}/
        $shopify = /shp(at|ca|pa|ss)_[0-9a-fA-F]{32}/
        $slack = /xox[abeoprs](\.xox[bp])?-/
        $slack_app = /xapp-\d-/
        $slack_hook = /hooks\.slack\.com\/(services|workflows)\//
        $square = /sq0(atp|csp|idp)-/
        $square_token = /EAAA[\w-]{60}/
        $stripe = /[sr]k_(live|test)_\w{10}/
        $stripe_hook = /whsec_[A-Za-z0-9+\/]{32}/
        $supabase = /sbp_[0-9a-f]{40}/
        $supabase_secret = "sb_secret_"
        $tailscale = /tskey-(auth|api|client|scim|webhook)-/
        $teams = ".webhook.office.com/webhookb2/"
        $telegram = /\d:AA[\w-]{33}/
        $telegram_bot = "api.telegram.org/bot"
        $tencent = /AKID[A-Za-z0-9]{32}/
        $terraform = ".atlasv1."
        $twilio = /(AC|SK)[0-9a-f]{32}/
        $url = /[a-z]:\/\/[^\s:@\/'"<>{}$]{0,64}:[^\s@\/'"<>]{3,100}@[\w.-]/
        $vault = /hv[sbr]\.[\w-]{20}/
        $assigned = /(passw(or)?d|passphrase|secret|token|api_?key|access_?key|credentials?)\w{0,20}["'\]]{0,2}[ \t]{0,4}(:|=|:=|=>)[ \t]{0,4}["'][^"'\s$<>{}%()]{8,100}["']/ nocase
    condition:
        any of them
}
