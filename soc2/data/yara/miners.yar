// Programs that mine cryptocurrencies, and what tells them where to.

rule mining_pool
{
    meta:
        description = "address of a mining pool"
    strings:
        $place = /stratum\d?\+(tcp|tls|ssl|udp|http|https|ws|wss):\/\/[\w.@:\[\]-]{1,300}:\d{2,5}/ nocase
        $host = /stratum\d?\+(tcp|tls|ssl|udp|http|https|ws|wss):\/\/[\w.@:-]{1,300}\.[a-z]{2,30}\b/ nocase
    condition:
        any of them
}

rule mining_program
{
    meta:
        description = "program that mines a cryptocurrency"
    strings:
        $scheme = "stratum+" nocase
        $donation = "donate-level" nocase
        $algorithm_1 = "randomx" nocase
        $algorithm_2 = "cryptonight" nocase
        $algorithm_3 = "kawpow" nocase
        $algorithm_4 = "ethash" nocase
        $name = /\b(xmrig|xmr-stak|minerd|cpuminer|ccminer|ethminer|nbminer|t-rex miner)\b/ nocase
    condition:
        // ELF, PE and Mach-O.
        (uint32be(0) == 0x7F454C46 or uint16be(0) == 0x4D5A or uint32(0) == 0xFEEDFACF)
        and ($donation or $name) and any of ($algorithm_*, $scheme)
}

rule mining_configuration
{
    meta:
        description = "configuration of a program that mines a cryptocurrency"
    strings:
        $pools = /"pools"\s{0,8}:\s{0,8}\[/
        $donation = /"donate-level"\s{0,8}:/
        $wallet = /"user"\s{0,8}:\s{0,8}"[48][0-9A-Za-z]{94}/
        $algorithm = /"(algo|coin)"\s{0,8}:\s{0,8}("(rx\/|cn\/|cn-|monero|kawpow|randomx)|null)/
        $xmr_stak = /"pool_address"\s{0,8}:\s{0,8}"[^"\n]{1,300}"\s{0,8},\s{0,8}"wallet_address"\s{0,8}:/
        $browser = /\bnew\s{1,4}(CoinHive|CRLT|Client|deepMiner|CoinImp)\s{0,4}\.\s{0,4}Anonymous\s{0,4}\(/
        $by_coin = /\b(lolMiner|nanominer|t-rex|PhoenixMiner|teamredminer|gminer|bzminer|srbminer(-multi)?|nbminer|rigel|onezerominer)(\.exe)?\s[^\n]{0,120}--?(algo|a|coin|algorithm)[ =]\S{3,40}[^\n]{0,120}\s--?(pool|o|p|server|url|wallet|user|u)[ =]\S{2}/ nocase
        $command = /\b(xmrig|minerd|cpuminer|ccminer|ethminer|nbminer)\b[^\n]{0,200}\s(-o|--url|-P)[ =]\S{4,300}/
    condition:
        filesize < 1MB and ($command or $xmr_stak or $browser or $by_coin or ($pools and 1 of ($donation, $wallet, $algorithm)))
}
