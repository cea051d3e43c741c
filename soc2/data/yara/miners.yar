// Programs that mine cryptocurrencies, and what tells them where to.

rule mining_pool
{
    meta:
        description = "address of a mining pool"
    strings:
        $place = /stratum\d?\+(tcp|tls|ssl|udp|http|https|ws|wss):\/\/[\w.@:\[\]-]{1,300}:\d{2,5}/ nocase
        $host = /stratum\d?\+(tcp|tls|ssl|udp|http|https|ws|wss):\/\/[\w.@:-]{1,300}\.[a-z]{2,30}\b/ nocase
        $plain = /stratum[12]?:\/\/[\w.@-]{1,300}:\d{2,5}\b/ nocase
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
        $algorithm_5 = "autolykos" nocase
        $name = /\b(xmrig|xmr-stak|minerd|cpuminer|ccminer|ethminer|nbminer|lolminer|gminer|teamredminer|phoenixminer|t-rex (nvidia gpu )?miner)\b/ nocase
    condition:
        // ELF, PE and Mach-O.
        (
            uint32be(0) == 0x7F454C46 or uint16be(0) == 0x4D5A
            or uint32(0) == 0xFEEDFACF or uint32(0) == 0xFEEDFACE or uint32be(0) == 0xCAFEBABE
        )
        and ($donation or $name or $scheme) and any of ($algorithm_*)
        or uint32be(0) == 0x7F454C46 and ($donation or $name) and $scheme
}

rule mining_configuration
{
    meta:
        description = "configuration of a program that mines a cryptocurrency"
    strings:
        $pools = /["']?\bpools["']?\s{0,8}:\s{0,8}(\[|\n)/
        $donation = /\bdonate-level["']?\s{0,8}:/
        $wallet = /["']?\buser["']?\s{0,8}:\s{0,8}["']?[48][0-9A-Za-z]{94}/
        $algorithm = /["']?\b(algo|coin)["']?\s{0,8}:\s{0,8}["']?(rx\/|cn\/|cn-|monero|xmr\b|kawpow|randomx|ghostrider)/ nocase
        $xmr_stak = /"pool_address"\s{0,8}:\s{0,8}"[^"\n]{1,300}"\s{0,8},\s{0,8}"wallet_address"\s{0,8}:/
        $null = /"(algo|coin)"\s{0,8}:\s{0,8}null/
        $url = /"url"\s{0,8}:/
        $user = /"user"\s{0,8}:/
        $command = /\b(xmrig|xmr-stak|minerd|cpuminer|ccminer|ethminer|nbminer|lolminer|gminer|teamredminer|phoenixminer|t-rex)\b[^\n]{0,200}\s(-o|--url|-P|--pool|--server)[ =]\S{4,300}/ nocase
    condition:
        filesize < 1MB and ($command or $xmr_stak or ($pools and (1 of ($donation, $wallet, $algorithm) or all of ($null, $url, $user))))
}

rule mining_page
{
    meta:
        description = "page that lets its visitors mine a cryptocurrency"
    strings:
        $start = /\bnew\s{1,8}(CoinHive|CoinImp|CryptoLoot|deepMiner|CRLT)\s{0,4}\.\s{0,4}(Anonymous|User|Token)\s{0,4}\(/
        $source = /src\s{0,4}=\s{0,4}["'][^"'\n]{0,200}\b(coinhive|coinimp|crypto-?loot|deepminer)(\.min)?\.js/ nocase
    condition:
        any of them
}
